"""Lists, inspects and downloads from the hub at HF_ENDPOINT with the official Python client; any surprise is an exception."""

import os
import shutil

from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url, snapshot_download
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

sha, token, home = os.environ["EXPECT_SHA"], os.environ["MEMBER_TOKEN"], os.environ["HF_HOME"]
api = HfApi()


def fails(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was expected")


models = {model.id: model for model in api.list_models(full=True, cardData=True, fetch_config=True)}
assert sorted(models) == ["acme/base", "acme/gated", "acme/tiny", "other/plain"], sorted(models)
assert models["acme/tiny"].config["architectures"] == ["TinyForCausalLM"]
assert [model.id for model in api.list_models(author="other")] == ["other/plain"]
assert [model.id for model in api.list_models(filter=["small", "license:apache-2.0"])] == ["acme/tiny"]
newest = next(iter(api.list_models(sort="last_modified", expand=["sha", "lastModified"], author="acme", search="tiny")))
assert newest.sha == sha

info = api.model_info("acme/tiny", files_metadata=True)
assert info.sha == sha and info.card_data.base_model == "acme/base"
assert info.safetensors is None or info.safetensors.total == 200_000
lfs = {file.rfilename: file.lfs for file in info.siblings}
assert lfs["model.safetensors"].sha256 and lfs["config.json"] is None
assert api.model_info("acme/tiny", revision="v1.0").sha != sha

refs = api.list_repo_refs("acme/tiny")
assert [branch.target_commit for branch in refs.branches] == [sha] and refs.tags[0].name == "v1.0"
commits = api.list_repo_commits("acme/tiny")
assert [commit.title for commit in commits] == ["Train longer", "Add weights"] and commits[0].authors == ["ann"]

tree = {entry.path: entry for entry in api.list_repo_tree("acme/tiny", recursive=True, expand=True)}
assert sorted(tree) == ["README.md", "config.json", "model.safetensors", "onnx", "onnx/deep", "onnx/deep/model.onnx"]
assert tree["model.safetensors"].last_commit.oid == sha
assert [entry.path for entry in api.list_repo_tree("acme/tiny", path_in_repo="onnx")] == ["onnx/deep"]
paths = api.get_paths_info("acme/tiny", ["config.json", "onnx", "absent"], expand=True)
assert sorted(entry.path for entry in paths) == ["config.json", "onnx"]

metadata = get_hf_file_metadata(hf_hub_url("acme/tiny", "model.safetensors"))
assert metadata.commit_hash == sha and metadata.etag == lfs["model.safetensors"].sha256
assert metadata.size == lfs["model.safetensors"].size
# The storage host is another port, which gets no token.
assert metadata.location.startswith(os.environ["STORAGE_URL"]), metadata.location
small = get_hf_file_metadata(hf_hub_url("acme/tiny", "config.json"))
assert small.commit_hash == sha and small.size and len(small.etag) == 40

weights = hf_hub_download("acme/tiny", "model.safetensors")
assert hf_hub_download("acme/tiny", "model.safetensors") == weights
shutil.copy(weights, os.path.join(home, "model.safetensors"))
folder = snapshot_download("acme/tiny")
assert os.path.exists(os.path.join(folder, "onnx/deep/model.onnx"))
old = snapshot_download("acme/tiny", revision="v1.0")
assert os.listdir(old) == ["model.safetensors"]

fails(RepositoryNotFoundError, lambda: api.model_info("acme/none"))
fails(RevisionNotFoundError, lambda: api.model_info("acme/tiny", revision="v9"))
fails(EntryNotFoundError, lambda: hf_hub_download("acme/tiny", "absent.bin"))
fails(GatedRepoError, lambda: hf_hub_download("acme/gated", "model.safetensors"))
fails(GatedRepoError, lambda: hf_hub_download("acme/gated", "model.safetensors", token="hf_wrong"))
fails(DisabledRepoError, lambda: api.model_info("acme/disabled"))
assert api.model_info("acme/renamed").id == "acme/tiny"
fails(RepositoryNotFoundError, lambda: api.model_info("acme/private"))
assert hf_hub_download("acme/gated", "model.safetensors", token=token)
assert api.model_info("acme/private", token=token).private
