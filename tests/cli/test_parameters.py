import pytest

from gsrgnn.cli.parameters import as_option, parse_parameter

pytestmark = pytest.mark.usefixtures("checkout")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=8", 8),
        ("k=1e-3", 1e-3),
        ("k=true", True),
        ("k=False", False),
        ("k=null", None),
        ("k=[1, 2]", [1, 2]),
        ("k=sparse", "sparse"),
        ("k=circuitnet/7157-a=b", "circuitnet/7157-a=b"),
        ("k='8'", "8"),
        ("k=", ""),
    ],
)
def test_parameters_are_python_values_or_words(text, value):
    assert parse_parameter(text) == ("k", value)
    assert type(parse_parameter(text)[1]) is type(value)


@pytest.mark.parametrize("text", ["k", "=8", "k k=8"])
def test_a_parameter_without_a_name_and_a_value_is_an_error(gsrgnn, text):
    result = gsrgnn("run", "page", "-p", text)
    assert result.exit_code == 1
    assert result.stderr == f"error: -p {text}: expected NAME=VALUE, as in -p k=8\n"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["-p", "k=1", "-p", "k=2"], "-p k is given more than once (1, 2): give it once"),
        (["-p", "class=3"], "-p class=3: class is a word of Python's, which no parameter can have for a name"),
        (["-p", "=3"], "-p =3: expected NAME=VALUE, as in -p k=8"),
    ],
)
@pytest.mark.parametrize("folder", [[], ["--results", "results"]])
def test_parameters_that_cannot_be_meant_are_errors(gsrgnn, given, says, folder):
    assert gsrgnn("run", "page", *given, *folder).stderr == f"error: {says}\n"


@pytest.mark.parametrize("value", [8, 1e-3, True, None, [1, 2], "sparse", "8", "true", "None", "", "a=b", "1or2", (1,)])
def test_an_option_is_read_as_the_value_that_it_was_made_of(value):
    name, read = parse_parameter(as_option("k", value))
    assert (name, repr(read)) == ("k", repr(value))


@pytest.mark.parametrize("text", ["k={[]: 1}", "k=" + "[" * 10**5, "k=" + "9" * 5000])
def test_what_python_cannot_read_is_a_word(text):
    assert parse_parameter(text) == ("k", text[2:])
