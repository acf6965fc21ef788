"""The API of a platform, typed.

Written by scripts/client.py from the routes of the API: change those, not this.

    with Client(url, token) as client:
        for run in client.runs.list(state="failed")["data"]:
            print(run["id"], run["attributes"]["error_type"])
"""

from __future__ import annotations

from holdfast.client.asking import ApiError, Asking
from holdfast.client.audit import Audit
from holdfast.client.collections import Collections
from holdfast.client.credential_schemas import CredentialSchemas
from holdfast.client.credentials import Credentials
from holdfast.client.dataclips import Dataclips
from holdfast.client.jobs import Jobs
from holdfast.client.keychains import Keychains
from holdfast.client.keys import Keys
from holdfast.client.log_lines import LogLines
from holdfast.client.me import Me
from holdfast.client.oauth_clients import OauthClients
from holdfast.client.problems import Problems
from holdfast.client.projects import Projects
from holdfast.client.provision import Provision
from holdfast.client.queue import Queue
from holdfast.client.runs import Runs
from holdfast.client.search import Search
from holdfast.client.session_links import SessionLinks
from holdfast.client.sessions import Sessions
from holdfast.client.tokens import Tokens
from holdfast.client.users import Users
from holdfast.client.work_orders import WorkOrders
from holdfast.client.workers import Workers
from holdfast.client.workflows import Workflows

__all__ = ["ApiError", "Client"]


class Client(Asking):
    """All calls of the API, by what they are about. Raises ApiError."""

    def __init__(self, url: str, token: str, *, timeout: float = 30.0) -> None:
        """`timeout` in seconds."""
        super().__init__(url, token, timeout=timeout)
        self.audit = Audit(self)
        self.collections = Collections(self)
        self.credential_schemas = CredentialSchemas(self)
        self.credentials = Credentials(self)
        self.dataclips = Dataclips(self)
        self.jobs = Jobs(self)
        self.keychains = Keychains(self)
        self.keys = Keys(self)
        self.log_lines = LogLines(self)
        self.me = Me(self)
        self.oauth_clients = OauthClients(self)
        self.problems = Problems(self)
        self.projects = Projects(self)
        self.provision = Provision(self)
        self.queue = Queue(self)
        self.runs = Runs(self)
        self.search = Search(self)
        self.session_links = SessionLinks(self)
        self.sessions = Sessions(self)
        self.tokens = Tokens(self)
        self.users = Users(self)
        self.work_orders = WorkOrders(self)
        self.workers = Workers(self)
        self.workflows = Workflows(self)
