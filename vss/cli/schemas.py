"""`vss schemas`."""

from __future__ import annotations

import json

import click

from vss.errors import ConfigError

EXAMPLES = """\b
Example:
  vss schemas                        every JSON payload, by topic
  vss schemas detections
  vss schemas asyncapi > asyncapi.json
"""


@click.command(epilog=EXAMPLES)
@click.argument("name", required=False, metavar="[TOPIC|asyncapi]")
@click.option(
    "--topic-prefix",
    default="vss.",
    show_default=True,
    envvar="VSS_KAFKA__TOPIC_PREFIX",
    help="What the topics' names start with in the AsyncAPI document.",
)
def schemas(name: str | None, topic_prefix: str) -> None:
    """Print JSON Schema of the events, or one AsyncAPI 3 document of every topic, its headers included."""
    from vss.schemas.asyncapi import asyncapi_document
    from vss.schemas.documents import payload_schemas

    found = payload_schemas()
    if name == "asyncapi":
        document = asyncapi_document(topic_prefix)
    elif name is None:
        document = found
    elif name in found:
        document = found[name]
    else:
        raise ConfigError(f"no JSON travels in a topic {name!r}", fix=f"choose of {', '.join(found)}, asyncapi")
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
