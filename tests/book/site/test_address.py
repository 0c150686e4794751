import pytest

from gsrgnn.book.site.address import Address, address


def test_what_is_not_given_is_empty():
    assert address({}) == Address("", "")
    assert address({}).path == "/"


def test_a_slash_more_or_less_makes_no_difference():
    for slash in ("", "/"):
        given = {
            "GSRGNN_SITE_URL": f"https://example.org/book{slash}",
            "GSRGNN_REPOSITORY": f"https://example.org/a/x{slash}",
        }
        assert address(given) == Address("https://example.org/book/", "https://example.org/a/x")
        assert address(given).path == "/book/"


@pytest.mark.parametrize(
    "given",
    ["example.org", "ftp://example.org", "https://example.org/?a", "https://example.org/#a", "https:///a"]
    + ["https://example.org/my book", " https://example.org", "https://example.org?"],
)
def test_what_is_no_folder_on_the_web_is_an_error(given):
    with pytest.raises(ValueError, match="GSRGNN_SITE_URL is .*: give an address such as"):
        address({"GSRGNN_SITE_URL": given})


@pytest.mark.parametrize(
    "given", ["https://example.org/gsrgnn/", "https://github.com//n", "https://github.com/o/n/tree/main"]
)
def test_a_repository_has_an_owner(given):
    with pytest.raises(ValueError, match="GSRGNN_REPOSITORY is .*: give owner and name"):
        address({"GSRGNN_REPOSITORY": given})


def test_a_repository_is_named_as_its_host_or_git_names_it():
    assert address({"GSRGNN_REPOSITORY": "https://github.com/o/n.git"}).repository == "https://github.com/o/n"
    given = {"GSRGNN_REPOSITORY": "https://GitHub.com/o/n", "GSRGNN_LAUNCH": "colab"}
    assert address(given).launch == "colab"


def test_notebooks_are_run_where_the_variable_says():
    given = {"GSRGNN_REPOSITORY": "https://github.com/a/x", "GSRGNN_LAUNCH": "colab"}
    assert address(given) == Address("", "https://github.com/a/x", "colab")


def test_a_service_that_is_not_known_or_has_no_repository_to_open_is_an_error():
    with pytest.raises(ValueError, match="GSRGNN_LAUNCH is 'kaggle': give colab or binder, or leave it out"):
        address({"GSRGNN_REPOSITORY": "https://github.com/a/x", "GSRGNN_LAUNCH": "kaggle"})
    for repository in ("", "https://example.org/a/x"):
        with pytest.raises(ValueError, match="GSRGNN_LAUNCH=binder opens notebooks of .* github.com: give GSRGNN_REP"):
            address({"GSRGNN_REPOSITORY": repository, "GSRGNN_LAUNCH": "binder"})
