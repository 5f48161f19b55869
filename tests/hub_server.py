"""A stand-in for the Hugging Face Hub: as much of its HTTP interface as `push` and `--model org/name` use."""

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Hub:
    """Repositories in memory: for each the files of every commit, and the commit of each branch."""

    def __init__(self):
        self.files, self.branches, self.private, self.asked = {}, {}, {}, []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _answer(self, status, content=b"", **headers):
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def _json(self, content):
                self._answer(200, json.dumps(content).encode(), Content_Type="application/json")

            def do_GET(self):
                hub.asked.append(self.path)
                repository, _, rest = self.path[1:].partition("/resolve/")
                revision, _, name = rest.partition("/")
                commit = hub.branches.get(repository, {}).get(revision, revision)
                if repository not in hub.branches:
                    return self._answer(404, X_Error_Code="RepoNotFound")
                if commit not in hub.files[repository]:
                    return self._answer(404, X_Error_Code="RevisionNotFound")
                content = hub.files[repository][commit].get(name)
                if content is None:
                    return self._answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
                digest = hashlib.sha256(content).hexdigest()
                return self._answer(200, content, ETag=f'"{digest}"', X_Repo_Commit=commit)

            do_HEAD = do_GET

            def do_POST(self):
                hub.asked.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Authorization") != "Bearer hf_secret":
                    return self._answer(401)
                if self.path == "/api/validate-yaml":
                    return self._json({"errors": [], "warnings": []})
                if self.path == "/api/repos/create":
                    wanted = json.loads(body)
                    repository = f"{wanted['organization']}/{wanted['name']}"
                    hub.files.setdefault(repository, {})
                    hub.branches.setdefault(repository, {})
                    hub.private[repository] = wanted.get("private") or wanted.get("visibility") == "private"
                    return self._json({"url": f"{hub.address}/{repository}", "id": repository})
                repository, _, action = self.path.removeprefix("/api/models/").rpartition("/main")[0].rpartition("/")
                if action == "preupload":
                    paths = [one["path"] for one in json.loads(body)["files"]]
                    return self._json(
                        {"files": [{"path": one, "uploadMode": "regular", "shouldIgnore": False} for one in paths]}
                    )
                lines = [json.loads(line)["value"] for line in body.splitlines() if b'"file"' in line[:40]]
                commit = hashlib.sha1(body).hexdigest()
                hub.files[repository][commit] = {one["path"]: base64.b64decode(one["content"]) for one in lines}
                hub.branches[repository]["main"] = commit
                return self._json({"commitUrl": f"{hub.address}/{repository}/commit/{commit}", "commitOid": commit})

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
