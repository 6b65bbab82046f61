"""All commands, in the order in which help lists them."""

from .command import Command
from .compare import COMPARE
from .export_encoder import EXPORT_ENCODER
from .generate import GENERATE
from .lists import LIST, PROFILES
from .measure import MEASURE
from .memory import MEMORY
from .pretrain import PRETRAIN
from .probe import PROBE
from .properties import PROPERTIES
from .run import RUN
from .search import SEARCH
from .status import STATUS
from .verify import VERIFY

COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        LIST,
        PROFILES,
        GENERATE,
        PRETRAIN,
        EXPORT_ENCODER,
        PROBE,
        COMPARE,
        PROPERTIES,
        MEMORY,
        RUN,
        MEASURE,
        STATUS,
        VERIFY,
        SEARCH,
    )
}
