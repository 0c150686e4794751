import base64
import hashlib
import re

import pytest

from gsrgnn.book.site.policy import with_policy

HEAD = '<head><meta charset="utf-8" />{}</head>'


def hashes(page):
    return re.findall(r"'sha256-([^']+)'", with_policy(page).partition("script-src")[2].partition(";")[0])


def test_each_script_in_the_page_is_allowed_once_and_by_its_hash():
    code = ["\n let a = 1;", "let b = 'ö'"]
    page = HEAD.format("".join(f"<script>{one}</script>" for one in [*code, code[0]]))
    assert hashes(page) == [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in code]


@pytest.mark.parametrize("script", ['<script src="a.js"></script>', '<script type="application/json">{}</script>'])
def test_a_script_of_the_site_and_data_need_no_hash(script):
    assert hashes(HEAD.format(script)) == []
    assert "script-src 'self';" in with_policy(HEAD.format(script))


def test_a_script_with_a_type_of_code_needs_one():
    assert (
        len(hashes(HEAD.format('<script type="text/javascript">a()</script><script type="module">b()</script>'))) == 2
    )


def test_code_in_an_attribute_is_an_error():
    with pytest.raises(ValueError, match="code in an attribute.*onclick"):
        with_policy(HEAD.format('<button class="a" onclick="go()">'))
    with_policy(HEAD.format("<p>&lt;button onclick='go()'&gt; and a once='1'</p>"))


def test_a_page_without_a_head_is_an_error():
    with pytest.raises(ValueError, match="no <meta charset"):
        with_policy("<p></p>")
