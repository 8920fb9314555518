"""Judges calls of the AWS CLI by its own tables, without a request; runs where the CLI lives.

Reads a JSON list of calls, each a list of service, operation (after `wait`, what is waited for)
and options, and prints what is wrong with them, a line each.
"""

import json
import sys
from collections.abc import Iterator

from awscli.clidriver import create_clidriver  # type: ignore[import-not-found]  # not in .venv


def complaints(calls: list[list[str]]) -> Iterator[str]:
    """Tell of services, operations and options that do not exist, and of required ones left out."""
    driver = create_clidriver()
    services = driver.create_help_command().command_table
    everywhere = {f"--{name}" for name in driver.create_help_command().arg_table}
    for service, *rest in calls:
        if service not in services:
            yield f"aws {service}: no such service"
            continue
        table = services[service].create_help_command().command_table
        operation = rest.pop(0)
        if operation == "wait" and "wait" in table:
            table, operation = table["wait"].subcommand_table, rest.pop(0)
        if operation not in table:
            yield f"aws {service} {operation}: no such operation"
            continue
        arguments = table[operation].arg_table
        own = {f"--{name}" for name in arguments}
        required = {f"--{name}" for name, one in arguments.items() if one.required}
        for option in sorted(set(rest) - own - everywhere):
            yield f"aws {service} {operation} {option}: no such option"
        for option in sorted(required - set(rest)):
            yield f"aws {service} {operation}: lacks {option}"


if __name__ == "__main__":
    for complaint in complaints(json.load(sys.stdin)):
        print(complaint)  # noqa: T201
