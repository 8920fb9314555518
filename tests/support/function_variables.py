"""Gives deployed functions the variables that their stack does not set yet."""

from crier.deployed.deployment import Deployment


def give_variables(deployment: Deployment) -> None:
    """Set what is missing for clients' frames; what is there stays."""
    client = deployment.client("lambda")
    wanted = {
        "CONNECTIONS_TABLE": deployment.connections_table_name,
        "BROADCASTS_TABLE": deployment.ledger_table_name,
        "REPLAY_SECONDS": "86400",
        "REPLAY_FRAMES": "300",
        "OPEN_CHANNELS": "*",
    }
    for id_ in ("ClientFrame", "Broadcast"):
        name = deployment.function_name(id_)
        found = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        if missing := {key: one for key, one in wanted.items() if key not in found}:
            client.update_function_configuration(
                FunctionName=name, Environment={"Variables": found | missing}
            )
