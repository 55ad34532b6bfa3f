import pytest

from asr.runtime.ordered import in_order


def test_each_comes_as_soon_as_those_before_it_are_there():
    asked = []

    def ready():
        for number in (2, 0, 1, 4, 3):
            asked.append(number)
            yield number, f"item {number}"

    results = in_order(ready())
    assert next(results) == "item 0"
    assert asked == [2, 0]
    assert list(results) == ["item 1", "item 2", "item 3", "item 4"]


def test_what_fails_on_the_way_is_not_hidden():
    def ready():
        yield 0, "item"
        raise KeyboardInterrupt

    results = in_order(ready())
    assert next(results) == "item"
    with pytest.raises(KeyboardInterrupt):
        next(results)
