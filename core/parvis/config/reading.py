"""What was set, and where: parvis.toml and PARVIS_* variables, converted to their types."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parvis.config.names import masked
from parvis.config.phrase import Phrase
from parvis.config.phrase import Phrase as _l  # noqa: N813
from parvis.config.sections import CONFIG_FILE, SECTIONS, LimitOverride, keys_of
from parvis.errors import ConfigError

# Short names, and what other parts of the program read from the environment.
ALIASES = {"PARVIS_SAFE_MODE": ("plugins", "safe_mode")}
FOREIGN = ("PARVIS_DIR", "PARVIS_LANG", "PARVIS_SECRET_KEY", "PARVIS_TEST_", "PARVIS_BENCH_")
_LIMIT = re.compile(r"(\d{1,6})\s*/\s*(\d{0,6})\s*([smhd]?)")
_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was set, and the name of the place where it was."""

    where: str
    value: Any

    def shown(self) -> str:
        """Return place and value as TOML writes them, a password masked."""
        text = masked(self.value) if isinstance(self.value, str) else str(self.value)
        return f"{self.where} = {text!r}" if isinstance(self.value, str) else f"{self.where} = {text}"

    def refusal(self, problem: Phrase, remedy: Phrase) -> ConfigError:
        """Return the error that names this setting, what is wrong with it and what to write instead."""
        return ConfigError(_l("{setting}: {problem}", setting=self.shown(), problem=problem), remedy=remedy)


GivenSections = dict[str, dict[str, Given]]


def from_file(directory: Path) -> GivenSections:
    """Read parvis.toml into sections of settings; unknown names are refused with the nearest known one."""
    document = read_toml(directory, CONFIG_FILE)
    given: GivenSections = {}
    known = [*SECTIONS, "limits"]
    for name, body in document.items():
        if name not in known or not isinstance(body, dict):
            raise _unknown(f"{CONFIG_FILE}: {name}", name, [*known, *_every_key()])
        keys = None if name == "limits" else list(keys_of(name))
        for key, value in body.items():
            where = f"{CONFIG_FILE}: {name}.{key}"
            if keys is not None and key not in keys:
                raise _unknown(where, f"{name}.{key}", [f"{name}.{one}" for one in keys] + _every_key())
            given.setdefault(name, {})[key] = Given(where, value)
    return given


def read_toml(directory: Path, name: str) -> dict[str, Any]:
    """Return a TOML file of an instance; ConfigError tells what is wrong with folder, file or line."""
    path = directory / name
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            _l("There is no Parvis instance in {folder}: {file} is missing.", folder=directory, file=name),
            remedy=_l(
                "Make one with: parvis init {folder}. Or name the right folder with --dir.", folder=directory
            )
            if name == CONFIG_FILE
            else _l(
                "Bring it back from your backup, or make it anew with: parvis init {folder}", folder=directory
            ),
        ) from None
    except NotADirectoryError:
        raise ConfigError(
            _l("{folder} is not a folder.", folder=directory),
            remedy=_l("Name the instance's folder with --dir."),
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            _l("{file} is not valid TOML: {detail}.", file=path, detail=str(error).rstrip(".")),
            remedy=_l('Mend that line; text stands in double quotes, for example: name = "Our company".'),
        ) from None
    except OSError as error:
        raise ConfigError(
            _l("{file} cannot be read: {detail}.", file=path, detail=error.strerror or error),
            remedy=_l("Make it readable for the user who runs Parvis."),
        ) from None


def _every_key() -> list[str]:
    return [f"{section}.{key}" for section in SECTIONS for key in keys_of(section)]


def _unknown(where: str, name: str, known: list[str]) -> ConfigError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not near:
        tail = name.rpartition(".")[2]
        near = [one for one in known if one.rpartition(".")[2] == tail][:1]
    return ConfigError(
        _l("{where} is not a setting of Parvis.", where=where),
        remedy=_l("Did you mean {name}?", name=near[0])
        if near
        else _l("Remove it; docs/configuration.md lists every setting."),
    )


def from_environment(given: GivenSections, environ: Mapping[str, str]) -> None:
    """Lay PARVIS_<SECTION>_<KEY> variables over the file's settings; unknown ones are refused."""
    known = {
        f"PARVIS_{name.upper()}_{key.upper()}": (name, key) for name in SECTIONS for key in keys_of(name)
    }
    known.update(ALIASES)
    for variable in sorted(environ):
        if not variable.startswith("PARVIS_"):
            continue
        if variable in known:
            name, key = known[variable]
            given.setdefault(name, {})[key] = Given(variable, environ[variable])
        elif variable.startswith("PARVIS_LIMITS_"):
            action = variable.removeprefix("PARVIS_LIMITS_").lower().replace("_", "-")
            given.setdefault("limits", {})[action] = Given(variable, environ[variable])
        elif not variable.startswith(FOREIGN):
            raise _unknown(variable, variable, list(known))


def section_of(name: str, given: Mapping[str, Given]) -> Any:
    """Return a section's object with each value converted to its type."""
    types = keys_of(name)
    return SECTIONS[name](**{key: _typed(item, types[key]) for key, item in given.items()})


def _typed(item: Given, kind: Any) -> Any:
    """Convert one value; variables are text, so numbers, switches and lists are read from it."""
    value = item.value
    text = value.strip() if isinstance(value, str) and not item.where.startswith(CONFIG_FILE) else None
    if kind is str and isinstance(value, str):
        return value
    if kind is bool:
        if isinstance(value, bool):
            return value
        if text is not None and text.lower() in ("1", "true", "yes", "on", "0", "false", "no", "off", ""):
            return text.lower() in ("1", "true", "yes", "on")
        raise item.refusal(_l("neither true nor false."), _l("Write true or false."))
    if kind in (int, float):
        if isinstance(value, kind | int) and not isinstance(value, bool):
            return kind(value)
        try:
            return kind(text if text is not None else "no")
        except ValueError:
            raise item.refusal(
                _l("not a number."), _l("Write a number without quotes, for example 8000.")
            ) from None
    if kind == tuple[str, ...]:
        if text is not None:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
        raise item.refusal(_l("not a list of texts."), _l('Write it like this: ["one", "two"].'))
    raise item.refusal(_l("not a text."), _l("Put it in double quotes."))


def limit(item: Given) -> LimitOverride:
    """Return the limit written as "how many/how long"."""
    found = _LIMIT.fullmatch(item.value.strip()) if isinstance(item.value, str) else None
    if found is None:
        raise item.refusal(
            _l("not a limit."), _l('Write how many in how long, for example "10/5m" or "0/s" for none.')
        )
    return LimitOverride(int(found[1]), int(found[2] or 1) * _UNIT[found[3]])
