"""What an operation of the project may cost."""

import json
from typing import Any

import pytest

from tests.django_project.test_http import JSON, send

FIELDS = (
    'login(username: "a", password: "b") { ok }',
    'createUser(username: "a", password: "b") { success }',
    'changePassword(oldPassword: "a", newPassword: "b") { success }',
)


@pytest.mark.parametrize("field", FIELDS)
async def test_an_operation_hashes_few_passwords(field: str, production: Any) -> None:
    query = "mutation {" + " ".join(f"a{n}: {field}" for n in range(2)) + "}"
    answer = await send(production, "POST", body={"query": query}, content_type=JSON)
    [error] = json.loads(answer.body)["errors"]
    assert error["extensions"] == {"code": "TOO_COSTLY", "limit": 3_000}
