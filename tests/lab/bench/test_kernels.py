"""Where a step goes, kernel by kernel."""


def test_a_step_by_kernel(record):
    """Two layers: what Algorithm 1 does a layer, forward and once more going back."""
    profile = {entry["name"]: entry for entry in record["profile"]}
    assert {entry["row"] for entry in record["profile"]} == {"GSR k=4 nets"}
    assert {
        name: profile[name]["calls"]
        for name in (
            "to_fixed",
            "group_sparse_fixed",
            "add_layer_norm",
            "undo_layer_norm",
            "scatter_fixed",
            "scatter_over",
        )
    } == {
        "to_fixed": 2,
        "group_sparse_fixed": 6,
        "add_layer_norm": 4,
        "undo_layer_norm": 4,
        "scatter_fixed": 2,
        "scatter_over": 2,
    }
    assert profile["to_fixed"]["moved_bytes"] == 2 * 2 * 64 * 8 * 4
    seconds = [entry["seconds"] for entry in record["profile"]]
    assert seconds == sorted(seconds, reverse=True)
    assert min(seconds) > 0
