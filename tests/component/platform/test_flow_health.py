"""The page of a workflow says how its work orders went, this week and the week before."""

from __future__ import annotations

import re

from sqlalchemy import update

from holdfast.platform.clock import SECOND
from holdfast.platform.store import tables as t
from support.platform import Served


def test_this_week_stands_beside_the_week_before(served: Served) -> None:
    flow = served.client.get("/api/workflows").json()["workflows"][0]["id"]
    assert 'id="health"' not in served.client.get(f"/workflows/{flow}").text
    served.post()
    with served.worker() as worker:
        worker.take().complete(reason="fail", error_type="E", error_message="no")
        week = 7 * 24 * 3600 * SECOND
        for table in (t.runs, t.work_orders):
            earlier = update(table).values(inserted_at=table.c.inserted_at - week)
            served.write(lambda tx, change=earlier: tx.connection.execute(change))  # type: ignore[misc]
        served.post()
        talk = worker.take()
        talk.start()
        talk.complete()
    served.post()
    text = served.client.get(f"/workflows/{flow}").text
    rows = {
        re.sub("<[^>]*>", "", head): re.findall(r'<td class="right">(.*?)</td>', cells)
        for head, cells in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', text)
    }
    assert rows["Work orders"] == ["2", "1"]
    assert rows["Ended with success"] == ["100.0 %", "0.0 %"]
    assert rows["Half of the runs took at most"][0].endswith("s")
