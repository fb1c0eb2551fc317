import pytest

from tandem.pipeline.starter.shape import Shape, shape_of


@pytest.mark.parametrize(
    ("lines", "shape"),
    [
        (["user,click", "u1,0", "u2,1"], Shape(",", 2, True)),
        (["u1,0", "u2,1", "u3,0"], Shape(",", 2, False)),
        (["1::2::5::978300760", "1::3::4::978302109"], Shape("::", 4, False)),
        (["sessionId;userId;eventdate", "7;NA;2016-03-22", "78;3;2016-03-22"], Shape(";", 3, True)),
        # Numbers may be names where words stand above numbers, too.
        (["click,purchase,101,205", "0,1,1,87", "1,0,2,40"], Shape(",", 4, True)),
        (["bid0\t20130606000000123\tMozilla (a, b)\tnull", "bid1\t20130607030107123\tOpera\t5"], Shape("\t", 4, False)),
        (["User_ID,News_ID,Category", "a,b,news", "c,d,sports"], Shape(",", 3, True)),
        (["a\x01b\x011", "c\x01d\x012"], Shape("\x01", 3, False)),
        (["name,text", 'a,"x, y"', 'b,"z"'], Shape(",", 2, True)),
        (["t;price", "a;1,5", "b;2,5"], Shape(";", 2, True)),
        (["t;price", "a;1,5", "b;2,5", "c;2,6"], Shape(";", 2, True)),
        (["hello", "world"], None),
        (["a,b", "c", "d,e,f", "g"], None),
    ],
)
def test_shapes(lines, shape):
    assert shape_of("\n".join(lines) + "\n") == shape


def test_the_delimiter_that_the_name_speaks_of_comes_first():
    text = "1,5\t2\n2,5\t3\n"
    assert shape_of(text).delimiter == "\t"
    assert shape_of(text, ",") == Shape(",", 2, False)
    assert shape_of("price\tt\n" + text, ",") == Shape("\t", 2, True)


def test_a_last_line_that_is_cut_does_not_count():
    assert shape_of("a,b,c\n1,2,3\n4,5") == Shape(",", 3, True)
