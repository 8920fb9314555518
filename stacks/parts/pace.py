"""How fast all broadcast functions together post, by the quota of the Region."""

from aws_cdk import Aws, CfnCondition, Fn
from constructs import Construct

from stacks.settings import DeploySettings

REGIONS_OF_LOW_QUOTA = (
    "af-south-1",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "mx-central-1",
)
"""Where an account has 2,500 requests per second and a bucket of 1,250, in place of 10,000 and
5,000.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""


class Pace(Construct):
    """The pace as the functions' environment has it: as set, else 80 % of the Region's quota.

    The Region is looked at when the stack is deployed: one template serves all of them, and a
    Region that is not known here has the quota of most.
    """

    def __init__(self, scope: Construct, id_: str, *, settings: DeploySettings) -> None:
        super().__init__(scope, id_)
        self._is_low: CfnCondition | None = None
        self.posts_per_second = self._number(settings.posts_per_second, low=2_000, usual=8_000)
        self.post_burst = self._number(settings.post_burst, low=1_000, usual=4_000)

    def _number(self, given: int | None, *, low: int, usual: int) -> str:
        if given is not None:
            return str(given)
        if self._is_low is None:
            regions = (Fn.condition_equals(Aws.REGION, name) for name in REGIONS_OF_LOW_QUOTA)
            self._is_low = CfnCondition(self, "IsLow", expression=Fn.condition_or(*regions))
        return Fn.condition_if(self._is_low.logical_id, str(low), str(usual)).to_string()
