"""Options of a search from a form and from the address."""

from app.api.requests import RankOptions, SearchForm, SearchOptions, overridden


def test_a_form_field_wins_over_a_query_parameter() -> None:
    query = SearchOptions(top_k=5, offset=3, flip=True)
    joined = overridden(query, SearchForm(top_k=7, max_distance=None, id=["a"]))
    assert joined == SearchOptions(top_k=7, offset=3, flip=True)
    assert type(joined) is SearchOptions
    assert query.top_k == 5


def test_the_domain_is_given_the_same_options() -> None:
    options = RankOptions(
        top_k=4, offset=2, max_distance=0.5, min_score=0.9, group_by="label", include=["embedding"]
    ).options()
    assert (options.top_k, options.offset, options.max_distance) == (4, 2, 0.5)
    assert (options.min_score, options.group_by, options.embeddings) == (0.9, "label", True)
    assert options.filter is None
    assert RankOptions(filter='{"a": 1}').options().filter is not None
