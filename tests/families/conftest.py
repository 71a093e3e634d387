"""Every family's tiny checkpoint, made once, loaded once."""

import pytest

from tests.families.checkpoints import BUILDERS, VARIANTS, build


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """checkpoint(family) -> folder."""
    made = {}

    def of(family):
        if family not in made:
            made[family] = build(family, tmp_path_factory.mktemp("families") / family)
        return made[family]

    return of


@pytest.fixture(scope="session")
def model(checkpoint):
    """model(family) -> LoadedModel, shared: tests leave it as they found it."""
    from spectcount.listeners.loaded import LoadedModel

    loaded = {}

    def of(family):
        if family not in loaded:
            loaded[family] = LoadedModel(checkpoint(family))
        return loaded[family]

    return of


@pytest.fixture(params=[*BUILDERS, *VARIANTS])
def family(request):
    return request.param
