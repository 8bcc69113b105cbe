"""A filter that only the farthest hundredth satisfies still fills the page, over HTTP."""

import json

import httpx

from tests.support.images import encode, photo

COUNT, FAR = 300, 3


def test_a_filter_that_only_the_farthest_satisfy_fills_top_k(server: httpx.Client) -> None:
    pictures = [("images", (f"{i}.png", encode(photo(i, 16, 16)))) for i in range(COUNT)]
    for start in range(0, COUNT, 100):
        files = pictures[start : start + 100]
        assert server.post("/gallery", files=files).status_code == httpx.codes.CREATED
    query = {"image": encode(photo(0, 16, 16))}

    def ids(**options: str) -> list[str]:
        answer = server.post("/search", files=query, data=options).json()
        return [result["id"] for result in answer["results"]]

    whole = ids(top_k=str(COUNT))
    assert len(set(whole)) == COUNT
    farthest = whole[-FAR:]
    for image_id in farthest:
        server.patch(f"/gallery/{image_id}", json={"metadata": {"far": True}})
    wanted = json.dumps({"far": True})
    assert ids(top_k=str(FAR), filter=wanted) == farthest
    assert ids(top_k="2", filter=wanted) == farthest[:2]
    assert ids(top_k="2", offset="2", filter=wanted) == farthest[2:]
