"""The step-through page: its mathematics is that of layer_steps, and keyboard and screen reader can use it."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from gsrgnn.book.walkthrough import BACKWARD, EXAMPLE, FORWARD
from gsrgnn.book.walkthrough.layer_steps import READINGS, RESIDUALS, backward, forward

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "book" / "_static"
SCRIPTS = [STATIC / f"{name}.js" for name in ("elements", "step_layer", "step_views", "step_pictures", "step_through")]
PAGE = ROOT / "_build" / "html" / "book" / "step_through.html"


@pytest.fixture
def bare(browser):
    """The scripts that compute, on an empty page."""
    tab = browser.new_page()
    for script in SCRIPTS[:3]:
        tab.add_script_tag(path=script)
    yield tab
    tab.close()


@pytest.fixture(params=[1280, pytest.param(390, marks=pytest.mark.slow)])
def tab(request, browser):
    """The page of the built book, wide or narrow."""
    if not PAGE.exists():
        pytest.skip("no _build/html/book/step_through.html: make book")
    for script in SCRIPTS:
        built = PAGE.parents[1] / "_static" / script.name
        assert built.read_text() == script.read_text(), "the book holds an older script: make book"
    context = browser.new_context(viewport={"width": request.param, "height": 900}, offline=True)
    tab = context.new_page()
    complaints = []
    tab.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(PAGE.as_uri(), wait_until="load")
    yield tab
    too_wide = tab.evaluate("document.documentElement.scrollWidth") > request.param
    context.close()
    assert complaints == []
    assert not too_wide


def cases(count=200, seed=0):
    """States of the page: every setting, half of them on a coarse grid (ties, negative numbers), some rows zero."""
    random = np.random.default_rng(seed)
    settings = list(product((1, 2), RESIDUALS, READINGS))
    for n in range(count):
        k, residual, reading = settings[n % len(settings)]
        A = np.tril(random.random((4, 4)) < random.random()).astype(int)
        A = A | A.T
        X, dY = random.normal(size=(2, 4, 4)) if n % 16 < 8 else random.integers(-3, 4, size=(2, 4, 4)) / 10
        X[random.random(4) < 0.2] = 0
        yield {"A": A.tolist(), "X": X.tolist(), "dY": dY.tolist(), "k": k, "residual": residual, "reading": reading}


def traced(state):
    there = forward(*(state[name] for name in ("A", "X", "k", "residual", "reading")))
    return there, backward(state["A"], there, state["dY"])


def test_every_matrix_of_200_random_layers_is_the_python_tracers(bare):
    states = list(cases())
    both_passes = "states => states.map(s => [gsrgnnStepThrough.forward(s), gsrgnnStepThrough.backward(s)])"
    pages = bare.evaluate(both_passes, states)
    assert len(pages) == 200
    for state, passes in zip(states, pages, strict=True):
        for ours, page in zip(traced(state), passes, strict=True):
            assert ours.matrices.keys() == page["matrices"].keys()
            for name, matrix in ours.matrices.items():
                theirs = page["matrices"][name]
                np.testing.assert_allclose(theirs, matrix, rtol=0, atol=1e-9, err_msg=f"{name}: {state}")
            for step, theirs in zip(ours, page["steps"], strict=True):
                assert (step.number, step.line, step.name, step.sentence) == tuple(
                    theirs[key] for key in ("number", "line", "name", "sentence")
                )
                assert list(step.matrices) == list(theirs["matrices"])


def test_what_a_step_reads_is_in_memory_and_what_it_makes_stays_as_long_as_it_is_read(bare):
    held = """state => gsrgnnStepThrough.views(state).map((view, step) => ({
        reads: view.rows.flat().filter(name => /^d?[A-Z]\\d?$/.test(name)),
        now: gsrgnnStepThrough.inMemory(state, step).now.map(array => array.name)}))"""
    given = {"A", "X", "dY", "Y", "dX"}
    for residual in RESIDUALS:
        state = next(cases()) | {"residual": residual}
        there, back = traced(state)
        made = [set(step.matrices) for step in (*there, *back)]
        steps = bare.evaluate(held, state)
        assert len(steps) == len(made) == 20
        for number in range(1, 20):
            missing = {*steps[number]["reads"]} - {*steps[number - 1]["now"]} - made[number] - given
            assert missing == set(), (residual, number)
        kept = {*steps[7]["now"]} - {"Y"}
        assert kept == ({"V2", "I2"} if residual == "sparse" else set())


def test_two_digits_flip_a_choice_and_whole_steps_never_do(bare):
    both = """states => states.map(s => [gsrgnnStepThrough.forward(s).matrices, gsrgnnStepThrough.backward(s)])"""
    flip = bare.evaluate("gsrgnnStepThrough.flip") | {"k": 1, "residual": "dense", "reading": "neighbour"}
    kinds = ("exact", "steps", "digits")
    found = dict(zip(kinds, bare.evaluate(both, [flip | {"numbers": numbers} for numbers in kinds]), strict=True))
    for numbers, (there, back) in found.items():
        same = [ours == theirs for ours, theirs in zip(there["I2"], back["matrices"]["I2"], strict=True)]
        assert same == [numbers != "digits", True, True, True]
        assert ("flipped a choice" in back["steps"][6]["sentence"]) == (numbers == "digits")
    assert found["digits"][1]["matrices"]["dX"][0] != found["exact"][1]["matrices"]["dX"][0]
    for there, back in bare.evaluate(both, [state | {"numbers": "steps", "residual": "dense"} for state in cases()]):
        assert back["matrices"]["I2"] == there["I2"]
        np.testing.assert_allclose(back["matrices"]["R2"], there["R2"], rtol=0, atol=1e-9)


def test_an_address_holds_a_state_and_a_wrong_one_is_left_out(bare):
    for state in [*cases(20)]:
        whole = state | {"step": 13, "numbers": "steps", "predict": True, "entry": [3, 1]}
        again = "state => gsrgnnStepThrough.fromFragment('#' + gsrgnnStepThrough.toFragment(state))"
        assert bare.evaluate(again, whole) == whole
    first = bare.evaluate("gsrgnnStepThrough.fromFragment('')")
    assert (first["step"], first["k"], first["residual"]) == (0, 1, "sparse")
    wrong = "#step=99&k=3&residual=x&numbers=&entry=5,0&A=0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0&X=1,2&dY=1,a&predict=1"
    assert bare.evaluate("wrong => gsrgnnStepThrough.fromFragment(wrong)", wrong) == first


def tables(within):
    """The captions and entries of the matrices in a part of the page; zeros are padded there and minus is U+2212."""
    return within.locator("table").evaluate_all("""tables => tables.map(table => [
        table.caption.textContent,
        [...table.tBodies[0].rows].map(row => [...row.cells].slice(1).map(
            cell => Number(cell.textContent.trim().replace("\N{MINUS SIGN}", "-"))))])""")


def heading(tab):
    return tab.locator(".step-heading strong").text_content()


def stage(tab):
    return tab.locator(".step-stage")


def shown(tab, name):
    return dict(tables(stage(tab)))[name]


def test_the_example_is_the_papers_where_it_can_be_read(bare):
    example = bare.evaluate("gsrgnnStepThrough.example")
    for name, printed in (("A", EXAMPLE["adjacency"]), ("X", FORWARD["X"]), ("dY", BACKWARD["G"])):
        ours = np.zeros(printed.array.shape, dtype=bool)
        for entry in example["ours"].get(name, []):
            ours[tuple(map(int, entry.split(",")))] = True
        np.testing.assert_array_equal(np.array(example[name])[~ours], printed.array[~ours])
        assert (printed.provenance[ours] != "R").all()


@pytest.mark.parametrize(("k", "residual", "reading"), [(1, "sparse", "neighbour"), (2, "dense", "own")])
def test_the_matrices_shown_at_every_step_are_the_tracers(tab, k, residual, reading):
    for name, value in (("k", k), ("residual", residual), ("reading", reading)):
        tab.check(f"input[name=step-{name}][value='{value}']")
    state = {**tab.evaluate("gsrgnnStepThrough.example"), "k": k, "residual": residual, "reading": reading}
    stage(tab).focus()
    for there in traced(state):
        so_far = []
        for step in there:
            assert f"{step.number} of {len(there)}: {step.name}" in heading(tab)
            assert step.sentence in tab.locator(".step-words").text_content()
            so_far += step.matrices.items()
            past = tables(tab.locator(".step-past"))
            assert [name for name, _ in past] == [name for name, _ in so_far]
            for (name, matrix), (_, theirs) in zip(so_far, past, strict=True):
                np.testing.assert_allclose(theirs, matrix, rtol=0, atol=0.00501, err_msg=name)
            assert stage(tab).locator(".step-chosen").count() == 1
            assert tab.locator(".step-lit").count() > 0
            tab.keyboard.press("ArrowRight")
    assert heading(tab).startswith("Backward 12 of 12")


def test_keys_buttons_and_the_list_of_steps_move_through_the_layer(tab):
    stage(tab).focus()
    for key, expected in (
        ("ArrowRight", "Forward 2"),
        ("ArrowLeft", "Forward 1"),
        ("ArrowLeft", "Forward 1"),
        ("End", "Backward 12"),
        ("ArrowRight", "Backward 12"),
        ("Home", "Forward 1"),
    ):
        tab.keyboard.press(key)
        assert heading(tab).startswith(expected)
    tab.get_by_role("button", name="Next step").focus()
    for _ in range(25):
        tab.keyboard.press("Enter")
    assert heading(tab).startswith("Backward 12")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Next step"
    assert tab.get_by_role("button", name="Next step").get_attribute("aria-disabled") == "true"
    for button, expected in (("Back", "Backward 11"), ("First", "Forward 1"), ("Last", "Backward 12")):
        tab.get_by_role("button", name=f"{button} step").click()
        assert heading(tab).startswith(expected)
    tab.get_by_label("Go to step").select_option(label="Backward 4: Undo the second block")
    assert heading(tab).startswith("Backward 4")


def test_entries_are_explained_one_by_one(tab):
    tab.get_by_label("Go to step").select_option(label="Forward 3: First block")
    words = tab.locator(".step-arithmetic")
    assert "0.45 + 0.73 = 1.18" in words.text_content()
    stage(tab).focus()
    seen = {words.text_content()}
    for _ in range(7):
        tab.keyboard.press("ArrowDown")
        seen.add(words.text_content())
    assert len(seen) == 8
    tab.keyboard.press("ArrowDown")
    tab.get_by_role("button", name="Another entry").click()
    tab.keyboard.press("ArrowUp")
    assert "0.45 + 0.73 = 1.18" in words.text_content()
    stage(tab).locator("table[data-name=M1] tbody tr").nth(3).locator("td").nth(1).click()
    assert words.text_content().startswith("M1, node 3, column 1")


def test_an_edited_number_is_computed_with_and_a_wrong_one_refused(tab):
    tab.get_by_label("Go to step").select_option(label="Forward 2: GS of group 2")
    assert shown(tab, "V2")[0] == [0.45]
    field = tab.get_by_label("X, node 0, column 2")
    field.fill("-1,25")
    assert shown(tab, "X2")[0] == [-1.25, 0.17]
    assert shown(tab, "V2")[0] == [0.17]
    assert shown(tab, "I2")[0] == [1]
    for wrong in ("abc", "", "1e9", "0.4.5", "2000", "NaN"):
        field.fill(wrong)
        assert field.get_attribute("aria-invalid") == "true"
        message = tab.locator(f"#{field.get_attribute('aria-describedby')}").text_content()
        assert "Node 0, column 2" in message
        assert "\N{MINUS SIGN}1.25 stays in use" in message
        assert shown(tab, "X2")[0] == [-1.25, 0.17]
    field.press("Escape")
    assert field.get_attribute("aria-invalid") is None
    assert tab.locator(".step-errors").all_text_contents() == ["", ""]
    assert field.input_value() == "\N{MINUS SIGN}1.25"
    tab.get_by_label("dY, node 3, column 0").fill("nothing")
    tab.get_by_role("button", name="The paper's example").click()
    assert shown(tab, "V2")[0] == [0.45]
    assert tab.locator("[aria-invalid]").count() == 0


def test_an_edge_has_both_directions(tab):
    tab.get_by_label("Go to step").select_option(label="Forward 3: First block")
    tab.locator("[data-edge='3,0']").click()
    tab.locator("[data-edge='0,0']").click()
    A = shown(tab, "A")
    assert A[0] == [0, 0, 1, 1]
    assert np.array_equal(A, np.transpose(A))
    assert tab.locator("[data-edge='0,3']").get_attribute("aria-pressed") == "true"
    tab.get_by_role("button", name="A random example").click()
    A = shown(tab, "A")
    assert np.array_equal(A, np.transpose(A))


def test_the_graph_and_the_algorithm_light_up_what_is_in_use(tab):
    stage(tab).focus()
    for number in range(20):
        line = tab.locator(".step-algorithm [aria-current=step]")
        of_step = tab.locator(".step-heading span").first.text_content().split()[-1]
        assert line.evaluate("line => 1 + [...line.parentElement.children].indexOf(line)") == int(of_step)
        lit = tab.locator(".step-graph .step-wire.step-lit").count()
        assert (lit > 0) == (number in (2, 5, 10, 12, 15, 17))
        tab.keyboard.press("ArrowRight")
    tab.get_by_label("Go to step").select_option(label="Forward 3: First block")
    assert tab.locator(".step-graph svg").get_attribute("aria-label").endswith("In use: 0 to 0, 2 to 0.")


def test_what_is_in_memory_fills_going_forward_and_empties_going_back(tab):
    def held(kind):
        return [text.split()[0] for text in tab.locator(f".step-{kind} li").all_text_contents()]

    tab.get_by_label("Go to step").select_option(label="Forward 8: Concatenate")
    assert held("now") == ["Y", "V2", "I2"]
    assert "24 numbers" in tab.locator(".step-now p").text_content()
    assert len(held("autograd")) == 8
    tab.check("input[name=step-residual][value=dense]")
    assert held("now") == ["Y"]
    tab.get_by_role("button", name="Last step").click()
    assert held("now") == ["X1", "R2", "dX"]
    assert held("autograd") == []


def test_a_result_is_predicted_before_it_is_shown(tab):
    tab.get_by_label("Go to step").select_option(label="Forward 3: First block")
    tab.check("input[name=step-predict][value=true]")
    words = tab.locator(".step-arithmetic")
    assert words.is_hidden()
    assert stage(tab).locator("table[data-name=M1] td").all_text_contents()[1:].count("?") == 8
    answer = tab.locator("#step-answer")
    answer.fill("1.17")
    answer.press("Enter")
    assert "Not 1.17" in tab.locator(".step-verdict").text_content()
    answer.fill("x")
    answer.press("Enter")
    assert "is not a number" in tab.locator(".step-verdict").text_content()
    answer.fill("1,18")
    answer.press("Enter")
    assert words.text_content().startswith("Right. ")
    assert shown(tab, "M1")[0][0] == 1.18
    assert "Predicted: 1 of 1" in tab.locator(".step-heading").text_content()
    tab.keyboard.press("ArrowRight")
    assert words.is_hidden()
    tab.get_by_role("button", name="Reveal").click()
    assert "Predicted: 1 of 2" in tab.locator(".step-heading").text_content()
    assert words.is_visible()


def test_it_plays_until_the_end_or_until_it_is_stopped(tab):
    tab.clock.install()
    tab.get_by_label("Go to step").select_option(label="Backward 10: Differentiate the first block")
    tab.get_by_role("button", name="Play").click()
    tab.clock.run_for(3100)
    assert heading(tab).startswith("Backward 11")
    tab.get_by_role("button", name="Pause").click()
    tab.clock.run_for(9000)
    assert heading(tab).startswith("Backward 11")
    tab.get_by_role("button", name="Play").click()
    tab.clock.run_for(9000)
    assert heading(tab).startswith("Backward 12")
    assert tab.get_by_role("button", name="Play").is_visible()


def test_an_address_opens_what_it_was_copied_at(tab, browser):
    assert "#" not in tab.url
    tab.get_by_role("button", name="A choice that flips").click()
    assert heading(tab).startswith("Backward 7")
    assert stage(tab).locator("table[data-name=I2] .gsr-differs").count() == 1
    tab.get_by_label("dY, node 1, column 2").fill("0.5")
    other = browser.new_page()
    other.goto(tab.url)
    assert other.locator(".step-heading").text_content() == tab.locator(".step-heading").text_content()
    assert tables(other.locator(".step-past")) == tables(tab.locator(".step-past"))
    assert other.get_by_label("dY, node 1, column 2").input_value() == "0.50"
    other.close()


def test_every_control_has_a_name_and_a_visible_focus(tab):
    tab.locator("input[name=step-k]").first.focus()
    tab.keyboard.press("Shift+Tab")
    reached = 0
    while True:
        tab.keyboard.press("Tab")
        focus = tab.evaluate("""() => {
            const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
            return {inside: !!e.closest("#step-through"), what: e.outerHTML.slice(0, 80),
                    outline: style.outlineStyle, width: parseFloat(style.outlineWidth),
                    seen: box.bottom > 0 && box.top < innerHeight,
                    name: e.ariaLabel || (e.labels && e.labels[0]?.textContent) || e.textContent};
        }""")
        if not focus["inside"]:
            break
        reached += 1
        assert focus["seen"], focus
        assert focus["outline"] != "none", focus
        assert focus["width"] >= 2, focus
        assert focus["name"].strip(), focus
    expected = {
        "settings": 5,
        "moves": 4,
        "play": 1,
        "list": 1,
        "stage": 1,
        "entry": 1,
        "edges": 16,
        "numbers": 32,
        "examples": 3,
        "details": 1,
    }
    assert reached == sum(expected.values())


def test_it_runs_where_nothing_but_its_own_files_may_run(browser, tmp_path):
    for path in SCRIPTS:
        (tmp_path / path.name).write_text(path.read_text())
    scripts = "".join(f'<script src="{path.name}" defer></script>' for path in SCRIPTS)
    policy = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; script-src file:">'
    (tmp_path / "page.html").write_text(f'<!doctype html>{policy}<div id="step-through"></div>{scripts}')
    tab = browser.new_page()
    complaints = []
    tab.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto((tmp_path / "page.html").as_uri())
    tab.get_by_role("button", name="Last step").click()
    assert heading(tab).startswith("Backward 12")
    assert tab.locator(".step-now .step-fill").evaluate("bar => bar.style.width") == "42.8571%"
    tab.close()
    assert complaints == []


def test_without_javascript_the_page_says_where_the_steps_are(browser):
    if not PAGE.exists():
        pytest.skip("no _build/html/book/step_through.html: make book")
    context = browser.new_context(java_script_enabled=False, offline=True)
    tab = context.new_page()
    tab.goto(PAGE.as_uri())
    assert tab.locator("#step-through p").is_visible()
    context.close()
