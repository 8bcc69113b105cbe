"""One model serves, another takes its place, and a replaced one ends with its last search."""

from app.inference.batcher import Batcher
from app.inference.served_model import ActiveModel, ServedModel
from app.testing import FakeEncoder, described


def served(seed: str) -> ServedModel:
    encoder = FakeEncoder(seed=seed)
    return ServedModel(described(encoder), Batcher(encoder))


def test_a_search_keeps_its_model_and_the_last_one_ends_it() -> None:
    ended: list[str] = []
    old, new = served("old"), served("new")
    active = ActiveModel(old, ended=lambda model: ended.append(model.id))
    with active.use() as first:
        with active.use() as second:
            assert first is second is old
            active.swap(new)
            with active.use() as third:
                assert third is new
            assert ended == []
        assert ended == [], "one search still uses it"
    assert ended == [old.id]
    assert active.model is new
    active.close()


def test_a_model_that_nobody_uses_ends_at_once_and_one_that_stays_does_not() -> None:
    ended: list[str] = []
    old, new = served("old"), served("new")
    active = ActiveModel(old, ended=lambda model: ended.append(model.id))
    active.swap(old)
    assert ended == []
    active.swap(new)
    assert ended == [old.id]
    with active.use():
        pass
    assert ended == [old.id]
    active.close()
