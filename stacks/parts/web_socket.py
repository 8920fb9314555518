"""The WebSocket API that clients connect to, and its one stage."""

import json
from typing import cast

import jsii
from aws_cdk import Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigateway import AccessLogFormat
from aws_cdk.aws_apigatewayv2_authorizers import WebSocketIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import WebSocketLambdaIntegration
from constructs import Construct

from stacks.parts.log_group import LogGroup
from stacks.settings import DeploySettings


class WebSocket(Construct):
    """Routes for connecting, disconnecting and clients' frames, on one stage.

    `authorizer` decides who may connect, in the modes that have a function for it. `url` is where
    clients connect, `callback_url` where the broadcast function posts.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: DeploySettings,
        connect: lambda_.IFunction,
        disconnect: lambda_.IFunction,
        client_frame: lambda_.IFunction,
        authorizer: apigateway.IWebSocketRouteAuthorizer | None,
    ) -> None:
        super().__init__(scope, id_)
        if settings.auth == "iam":
            authorizer = WebSocketIamAuthorizer()
        api = apigateway.WebSocketApi(
            self,
            "Api",
            api_name=f"crier-{settings.stage}",
            connect_route_options=_route("Connect", connect, authorizer=authorizer),
            disconnect_route_options=_route("Disconnect", disconnect),
            default_route_options=_route(
                "ClientFrame",
                client_frame,
                # The local AWS always answers, and does not know the resource that AWS needs.
                return_response=not settings.local_callback_base,
            ),
        )
        stage = self._make_stage(api, settings)
        self._connections_arn = Stack.of(self).format_arn(
            service="execute-api",
            resource=api.api_id,
            resource_name=f"{stage.stage_name}/POST/@connections/*",
        )
        self.url, self.callback_url = stage.url, stage.callback_url
        if settings.local_callback_base:
            self.callback_url = f"{settings.local_callback_base}/{api.api_id}/{settings.stage}"
            self.url = self.callback_url.replace("http://", "ws://", 1)

    def _make_stage(
        self, api: apigateway.WebSocketApi, settings: DeploySettings
    ) -> apigateway.WebSocketStage:
        """Make the stage after the API's routes and the route response.

        The automatic deployment could come before them, and clients' frames would meet silence.
        https://github.com/serverless/serverless/issues/7857
        """
        stage = apigateway.WebSocketStage(
            self,
            "Stage",
            access_log_settings=self._access_logs(settings) if settings.access_logs else None,
            auto_deploy=True,
            stage_name=settings.stage,
            web_socket_api=api,
        )
        _set_routes(stage, settings)
        stage.node.add_dependency(api)
        return stage

    def grant_post(self, grantee: iam.IGrantable) -> None:
        """Let a function post to connections of this stage, and no more."""
        iam.Grant.add_to_principal(
            actions=["execute-api:ManageConnections"],
            grantee=grantee,
            resource_arns=[self._connections_arn],
        )

    def _access_logs(self, settings: DeploySettings) -> apigateway.IAccessLogSettings:
        log_group = LogGroup(self, "AccessLogs", settings=settings)
        return _AccessLogs(apigateway.LogGroupLogDestination(log_group))


_LOGGED = ("requestId", "requestTime", "connectionId", "eventType", "routeKey", "status")
"""What an access log line says of each request.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html
"""


@jsii.implements(apigateway.IAccessLogSettings)
class _AccessLogs:
    def __init__(self, destination: apigateway.IAccessLogDestination) -> None:
        self._destination = destination

    @property
    def destination(self) -> apigateway.IAccessLogDestination:
        return self._destination

    @property
    def format(self) -> AccessLogFormat:
        fields = {name: f"$context.{name}" for name in _LOGGED}
        return AccessLogFormat.custom(json.dumps(fields))


def _set_routes(stage: apigateway.WebSocketStage, settings: DeploySettings) -> None:
    """Bound what clients ask for, route by route, and set what is logged of requests that fail.

    A throttle of the stage might hold for `@connections`, too, and one of `$disconnect` would
    leave rows behind. A route's settings have both numbers, because 0 refuses all clients. A data
    trace would log whole requests, with the tokens in them: that it is off is spelled out. Nothing
    tells whether a route with settings of its own has the stage's besides: it gets both.
    """
    made = cast("apigateway.CfnStage", stage.node.default_child)
    logs: dict[str, object] = {}
    if settings.execution_logs == "errors":
        logs = {"DataTraceEnabled": False, "LoggingLevel": "ERROR"}
        made.add_property_override("DefaultRouteSettings", logs)
    made.route_settings = {
        "$connect": _throttle(settings.connect_rate, settings.connect_burst) | logs,
        "$default": _throttle(settings.client_rate, settings.client_burst) | logs,
    }


def _throttle(rate: int, burst: int) -> dict[str, object]:
    return {"ThrottlingBurstLimit": burst, "ThrottlingRateLimit": rate}


def _route(
    id_: str,
    function: lambda_.IFunction,
    *,
    authorizer: apigateway.IWebSocketRouteAuthorizer | None = None,
    return_response: bool = False,
) -> apigateway.WebSocketRouteOptions:
    return apigateway.WebSocketRouteOptions(
        authorizer=authorizer,
        integration=WebSocketLambdaIntegration(id_, function),
        return_response=return_response,
    )
