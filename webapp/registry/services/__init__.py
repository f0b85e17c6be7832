"""The registry's writes: versions, who is champion, evaluations, weights that come and go."""

from webapp.registry.selectors import RegistryError
from webapp.registry.services.champion import (
    challenger_hold,
    challenger_withdraw,
    champion_promote,
    champion_roll_back,
)
from webapp.registry.services.evaluations import (
    evaluation_finish_if_complete,
    evaluation_for,
    outcomes_store,
    prompts_sha,
)
from webapp.registry.services.importing import OtherBase, adapter_import, upload_unpack
from webapp.registry.services.versions import (
    base_register,
    keep_weights,
    model_register,
    version_canary_check,
    version_hashes_check,
    version_note,
)

__all__ = [
    "OtherBase",
    "RegistryError",
    "adapter_import",
    "base_register",
    "challenger_hold",
    "challenger_withdraw",
    "champion_promote",
    "champion_roll_back",
    "evaluation_finish_if_complete",
    "evaluation_for",
    "keep_weights",
    "model_register",
    "outcomes_store",
    "prompts_sha",
    "upload_unpack",
    "version_canary_check",
    "version_hashes_check",
    "version_note",
]
