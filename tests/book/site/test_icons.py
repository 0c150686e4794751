import pytest

from gsrgnn.book.site.icons import Icons

SCRIPT = (
    'var a={"fa-solid":"fas"};p={github:[8,9,[],"f0","M1"]};f(function(){d("fab",p)});'
    'p={file:[3,4,[1],"f1","M2"]};f(function(){d("far",p)});'
    'p={file:[5,6,[1],"f1","M3"],"file-pdf":[7,6,[],"f2","M4"]};f(function(){d("fas",p)});'
)


@pytest.mark.parametrize(
    ("classes", "size", "path"),
    [
        ("fab fa-github", "8 9", "M1"),
        ("far fa-file", "3 4", "M2"),
        ("fas fa-file", "5 6", "M3"),
        ("x fa-solid fa-file-pdf fa-lg", "7 6", "M4"),
    ],
)
def test_an_icon_is_drawn_from_its_set(classes, size, path):
    for tag in ("i", "span"):
        page = f'<p><{tag} class="{classes}" data-mode="dark" title="Dark"></{tag}> words</p>'
        assert Icons(SCRIPT).drawn(page) == (
            f'<p><svg class="{classes} svg-inline--fa" viewBox="0 0 {size}" aria-hidden="true" focusable="false" '
            f'data-mode="dark"><path fill="currentColor" d="{path}"></path></svg> words</p>'
        )


def test_what_is_no_icon_stays():
    page = '<span class="fa-fabric"></span><span class="n">fa</span><i class="fas fa-file">text</i>'
    assert Icons(SCRIPT).drawn(page) == page


def test_an_icon_that_is_not_known_is_an_error():
    with pytest.raises(KeyError, match="no icon for fas fa-github"):
        Icons(SCRIPT).drawn('<i class="fas fa-github"></i>')
