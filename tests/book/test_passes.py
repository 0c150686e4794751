import json
import re

from gsrgnn.book import explorer, passes


def test_a_step_begins_and_ends_with_what_does_not_depend_on_depth_and_is_fullest_in_the_middle():
    sizes = explorer.Sizes(1000, 20_000, width=32, layers=7, k=4)
    frame = passes.held(sizes)
    assert len(frame) == 2 * sizes.layers + 1
    for way, name in passes.NETWORKS.items():
        bytes_held = frame[name].tolist()
        assert bytes_held == bytes_held[::-1]
        assert max(bytes_held) == bytes_held[sizes.layers] == explorer.total(way, sizes)
        none = explorer.memory(way, sizes._replace(layers=0))["kept"]
        assert bytes_held[sizes.layers] - bytes_held[0] == explorer.memory(way, sizes)["kept"] - none


def test_reversible_networks_without_pairs_keep_nothing_of_a_layer():
    frame = passes.held()
    assert frame[passes.NETWORKS["revgnn"]].nunique() == frame[passes.NETWORKS["messages"]].nunique() == 1
    assert frame[passes.NETWORKS["sparse"]].nunique() == passes.SIZES.layers + 1


def test_the_caption_says_which_of_two_takes_more_whatever_the_sizes():
    deep, shallow = passes.SIZES, passes.SIZES._replace(layers=2)
    assert passes.caption(passes.held(deep), deep).endswith("more than that.")
    assert passes.caption(passes.held(shallow), shallow).endswith("less than that.")


def test_the_page_holds_the_frame():
    frame = passes.held()
    (text,) = re.findall(r">(.*)</script>", passes.element(frame))
    networks = json.loads(text)
    assert {one["name"]: one["bytes"] for one in networks} == {name: frame[name].tolist() for name in frame}
    assert [explorer.WAYS[one["colour"]].key for one in networks] == list(passes.NETWORKS)
