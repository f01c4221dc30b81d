import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.numerals import find, value_of
from models.text import ZWNJ, fold

UNDER_TWENTY = "یک دو سه چهار پنج شش هفت هشت نه ده یازده دوازده سیزده چهارده پانزده شانزده هفده هجده نوزده"
TENS = "بیست سی چهل پنجاه شصت هفتاد هشتاد نود"
HUNDREDS = "صد دویست سیصد چهارصد پانصد ششصد هفتصد هشتصد نهصد"
PIECES = "یک هزار میلیون میلیارد و نیم سوم صد سی 5 12/5 1399/12/18 10:46 %50 % در تومانی برابر نه ها ام، - $ کرد همت سهم"
NUMBERS = st.integers(1, 10**13 - 1)
TEXT = st.builds(lambda glue, pieces: glue.join(pieces), st.sampled_from([" ", "", "  "]), st.lists(st.sampled_from(PIECES.split())))


def spell(n: int) -> str:
    """Persian words of a whole number."""
    for magnitude, word in ((10**12, "تریلیون"), (10**9, "میلیارد"), (10**6, "میلیون"), (1000, "هزار")):
        if n >= magnitude:
            return _and(f"{spell(n // magnitude)} {word}", n % magnitude)
    if n >= 100:
        return _and(HUNDREDS.split()[n // 100 - 1], n % 100)
    return _and(TENS.split()[n // 10 - 2], n % 10) if n >= 20 else UNDER_TWENTY.split()[n - 1]


def _and(first: str, rest: int) -> str:
    return f"{first} و {spell(rest)}" if rest else first


@pytest.mark.parametrize(
    ("surface", "value", "unit"),
    [
        ("۲۴۰۰", 2400, None),
        ("۳ هزار", 3000, None),
        ("سه هزار", 3000, None),
        ("دویست", 200, None),
        ("شش صد", 600, None),
        ("بیست و پنج", 25, None),
        ("هفتاد‌وپنج", 75, None),
        ("سی‌ویک", 31, None),
        ("هفتاد وپنج", 75, None),
        ("صدو بیست", 120, None),
        ("صد و بیست هزار", 120_000, None),
        ("یک هزار و 580", 1580, None),
        ("۲.۵ میلیون", 2_500_000, None),
        ("2٫5 میلیون", 2_500_000, None),
        ("۳میلیون", 3_000_000, None),
        ("دو و نیم میلیون", 2_500_000, None),
        ("سه میلیون و نیم", 3_500_000, None),
        ("پنج و دو دهم درصد", 5.2, "درصد"),
        ("۱٬۲۰۰", 1200, None),
        ("1,200,000", 1_200_000, None),
        ("۲۶،۷۵۰ دلار", 26_750, "دلار"),
        ("۱۵ هزار دلار", 15_000, "دلار"),
        ("$50 میلیون", 50_000_000, "دلار"),
        ("۱۲.۵۰۰ تومان", 12_500, "تومان"),
        ("۱۲.۰۰۰ دلار", 12_000, "دلار"),
        ("۱.۱۲۵ دلار", 1.125, "دلار"),
        ("۰.۱۲۵ ریال", 0.125, "ریال"),
        ("۸۵ میلیارد تومان", 85 * 10**9, "تومان"),
        ("85 میلیارد‌تومان", 85 * 10**9, "تومان"),
        ("۶ هزار میلیارد تومانی", 6 * 10**12, "تومان"),
        ("۵۰ میلیاردی", 50 * 10**9, None),
        ("۴۵ همت", 45 * 10**12, "تومان"),
        ("1/5 همت", 1500 * 10**9, "تومان"),
        ("7 ميليارد و 860 ميليون و 67 هزار و 347 تومان", 7_860_067_347, "تومان"),
        ("۱۲۰ هزار و ۵۰۰ میلیارد تومان", 120_500 * 10**9, "تومان"),
        ("2 میلیون و 300 هزار میلیارد", 2_300_000 * 10**9, None),
        ("چهار درصد", 4, "درصد"),
        ("۵۰ در صد", 50, "درصد"),
        ("۱۲/۵ درصد", 12.5, "درصد"),
        ("۱۲/۱۳ درصد", 12.13, "درصد"),
        ("۲۵۰/۰۰۰ ریال", 250_000, "ریال"),
        ("۱۲/۵۰۰ تومان", 12_500, "تومان"),
        ("۳۲,۲ درصد", 32.2, "درصد"),
        ("۱۲٬۵۰%", 12.5, "درصد"),
        ("۲۱,۳ میلیارد دلار", 21_300_000_000, "دلار"),
        ("2٬52 میلیون", 2_520_000, None),
        ("$۰,۵ میلیارددلار", 500_000_000, "دلار"),
        ("۱/۲۵۰ میلیارد تومان", 1_250_000_000, "تومان"),
        ("۱/۲۵۰/۰۰۰ تومان", 1_250_000, "تومان"),
        ("۲۵۰/۰۰۰/۰۰۰ ریال", 250_000_000, "ریال"),
        ("۱/۰۰۰", 1000, None),
        ("۲ میلیون ۳۰۰ هزار تومان", 2_300_000, "تومان"),
        ("سه میلیون پانصد هزار", 3_500_000, None),
        ("۱۰ میلیون ۲۳۰ هزار و ۶۸۱", 10_230_681, None),
        ("50%", 50, "درصد"),
        ("٪۵۰", 50, "درصد"),
        ("۵۰ ٪", 50, "درصد"),
        ("۵ برابری", 5, "برابر"),
        ("دوبرابر", 2, "برابر"),
        ("یک‌سوم", 1 / 3, None),
        ("یک سوم", 1 / 3, None),
        ("دو سوم", 2 / 3, None),
        ("یک پنجم", 0.2, None),
        ("سه ربع", 0.75, None),
        ("نیم", 0.5, None),
        ("نصف", 0.5, None),
        ("صفر", 0, None),
    ],
)
def test_a_surface_has_its_value_and_unit(surface, value, unit):
    assert value_of(surface) == (value, unit)
    assert isinstance(value_of(surface)[0], type(value))
    assert [(n.start, n.end) for n in find(fold(surface).text)] == [(0, len(fold(surface).text))]


@pytest.mark.parametrize(
    "text",
    [
        *("ده‌ها", "ده ها", "ده ها هزار", "صدها", "هزاران", "بیست و چند", "میلیون تومان", "چندهزار"),
        *("بیست و یکم", "صد و بیست و یکم", "نهمین", "۲۱مین", "۲۱ ام", "هزارم", "سی‌ام"),
        *("سهم", "سهمیه", "وام", "صدا", "دهه", "سیما", "نهاد", "هفتجوش", "یکسان", "دوام", "سیم", "هزاره", "چهارشنبه"),
        *("۱۳۹۹/۱۲/۱۸", "۱۰:۴۶", "۱۰:۴۶:۲۳", "۰۲۱", "۹۰/۹۱", "G20", "5G", "F-16", "#جام_جهانی۲۶", "1" * 5000),
    ],
)
def test_what_is_no_number(text):
    assert find(fold(text).text) == []
    assert value_of(text) is None


@pytest.mark.parametrize(
    ("text", "surfaces"),
    [
        ("۴۰۰بسته و جذب714 نفر", ["400", "714"]),
        ("۱۰ تا ۲۰ درصد", ["10", "20 درصد"]),
        ("۱۰-۲۰", ["10", "20"]),
        ("5،6 و 7", ["5", "6", "7"]),
        ("5,6 و 7", ["5", "6", "7"]),
        ("5,6,7 درصد", ["5", "6", "7 درصد"]),
        ("1234,567 درصد", []),
        ("سه و پنج", ["سه", "پنج"]),
        ("۵ هزار و ۳ هزار", ["5 هزار", "3 هزار"]),
        ("۵ میلیون و سهم آنان", ["5 میلیون"]),
        ("دو برابر با چهار", ["دو", "چهار"]),
        ("۳۰ درصد و ۵ برابر", ["30 درصد", "5 برابر"]),
        ("رشد 50% 60 نفر", ["50%", "60"]),
        ("۲ میلیون ۳۰۰ نفر", ["2 میلیون", "300"]),
        ("۱۰ هزار ۵۰۰ میلیارد", ["10 هزار", "500 میلیارد"]),
    ],
)
def test_numerals_are_as_long_as_they_can_be_and_no_longer(text, surfaces):
    folded = fold(text).text
    assert [folded[n.start : n.end] for n in find(folded)] == surfaces


@pytest.mark.parametrize(
    ("surface", "following", "expected"),
    [
        ("۱۲", " مرکز خدمات", (12, "مرکز")),
        ("۱۲", " مركز", (12, "مرکز")),
        ("423", " مهد کودک شهری", (423, "مهد کودک")),
        ("۵۰۰", " متر مربع زمین", (500, "متر مربع")),
        ("۴۰۰", "بسته", (400, "بسته")),
        ("۹", " خانواده‌ای", (9, "خانواده‌ای")),
        ("۹", " می‌شود", (9, None)),
        ("۹", " از آنان", (9, None)),
        ("۹", " هزار و ۵", (9, None)),
        ("۹", " پنجم", (9, None)),
        ("۹", "، مرکز", (9, None)),
        ("۹", "", (9, None)),
        ("۹ نفر", " آمدند", (9, "نفر")),
        ("۵۰ درصد", " مردم", (50, "درصد")),
        ("۱۰", " تا ۲۰ درصد", (10, "درصد")),
        ("۱۰", " تا ۲۰ هزار نفر", (10_000, "نفر")),
        ("۵۰۰", " تا ۲ هزار نفر", (500, "نفر")),
        ("۴.۱", " تا ۵ میلیون نفر", (4_100_000, "نفر")),
        ("۲.۵", " تا ۳ میلیون", (2_500_000, None)),
        ("یک سوم", " تا ۲ هزار نفر", (333.3333333333333, "نفر")),
        ("۲", " تا ۳ هزار میلیارد تومان", (2 * 10**12, "تومان")),
        ("۲۵۰۰", " تا ۳ هزار میلیارد", (2500 * 10**9, None)),
        ("۲", " تا ۳ میلیون و ۵۰۰ هزار تومان", (2_000_000, "تومان")),
        ("۶۰۰", " تا ۳ میلیون و ۵۰۰ هزار تومان", (600_000, "تومان")),
        ("۱.۵", " تا ۲ میلیون و ۲۰۰ هزار تومان", (1_500_000, "تومان")),
        ("۱۰", " تا ۲۰ هزار و ۵۰۰ نفر", (10_000, "نفر")),
        ("۱۵۰", " تا ۲۰ هزار و ۵۰۰ نفر", (150, "نفر")),
        ("۱۰۰", " تا ۱۲۰ هزار و ۵۰۰ میلیارد تومان", (100 * 10**12, "تومان")),
        ("۲", " تا ۳ هزار و نیم نفر", (2000, "نفر")),
        ("۲ هزار", " تا ۳ هزار میلیارد تومان", (2 * 10**12, "تومان")),
        ("۵۰۰ هزار", " تا ۲ میلیون نفر", (500_000, "نفر")),
        ("۲", " يا ۳ هزار میلیارد تومان", (2 * 10**12, "تومان")),  # an Arabic letter
        ("۲", " تا ۳ همت", (2 * 10**12, "تومان")),
        ("۱۰", " تا پایان سال", (10, None)),
        ("۵۰۰", " تانکر آب", (500, "تانکر")),
        ("۵۰۰", " یارانه", (500, "یارانه")),
        ("۲/۵", " واحد درصد کاهش", (2.5, "واحد درصد")),
        ("۳۰", " کیلو متر", (30, "کیلو متر")),
        ("۳۰", " کیلو متر مربع", (30, "کیلو متر مربع")),
        ("۴.۵۰۰", " نفر", (4500, "نفر")),
        ("۴/۵۰۰", " نفر", (4500, "نفر")),
        ("۱۲/۵۰۰", " تومان", (12_500, "تومان")),
        ("۱۵.۰۰۰", " مددجو", (15_000, "مددجو")),
        ("۴.۵۰۰", " کیلومتر", (4.5, "کیلومتر")),
        ("۱۰", " هزارنفر", (10_000, "نفر")),
        ("۱۰ هزارنفر", " آمدند", (10_000, "نفر")),
        ("۱۷", " میلیون‌نفر", (17 * 10**6, "نفر")),
        ("۱۷ میلیون و ۵۰۰", " هزار‌نفری", (17_500_000, "نفری")),
        ("سیصدهزارنفر", "", (300_000, "نفر")),
        ("۱۰", " هزاره گذشته", (10, "هزاره")),
    ],
)
def test_the_counted_noun_is_the_unit(surface, following, expected):
    assert value_of(surface, following) == expected
    assert isinstance(value_of(surface, following)[0], type(expected[0]))


@pytest.mark.parametrize(
    ("surface", "following"),
    [
        ("۱۲ ۰۰۰ نفر", ""),
        ("۱۲ ۰۰۰", " تا ۲۰ هزار نفر"),
        ("۰۲۱ ۸۸۷۷", ""),
        ("۳۲,۲", " نفر"),
        ("۷۷ دلار و ۴۰ سنت", ""),
        ("۲ ساعت و نیم", ""),
        ("دو سه هزار نفر", ""),
        ("-۵ درجه", ""),
        ("−۵", " درجه"),
        ("منفی ۲ درصد", ""),
        ("چند هزار", " نفر"),
        ("صدها هزار", " نفر"),
        ("ده‌ها هزار میلیارد تومان", ""),
        ("دو", " ممیز پنج درصد"),
    ],
)
def test_a_surface_does_not_have_the_value_of_a_part(surface, following):
    assert value_of(surface, following) is None


@pytest.mark.parametrize("preceding", ["حدود چند ", "چندین ", "ده‌ها ", "صدها\u200c ", "ده ها ", "رشد منفی ", "دو ممیز ", "دمای −"])
def test_what_stands_before_a_surface_may_be_a_part_of_its_value(preceding):
    assert value_of("هزار", " نفر", preceding) is None
    assert value_of("۵ درصد", "", preceding) is None


@pytest.mark.parametrize("preceding", ["", "هرچند ", "در این ده، ", "- ", "به "])
def test_what_stands_before_a_surface_seldom_matters(preceding):
    assert value_of("هزار", " نفر", preceding) == (1000, "نفر")


@pytest.mark.parametrize(
    ("surface", "expected"),
    [("۱۰ تا ۲۰ هزار نفر", (10_000, "نفر")), ("۱۰-۲۰ درصد", (10, "درصد")), ("۵ درصد تا ۱۰ درصد", (5, "درصد"))],
)
def test_a_surface_that_is_a_range_has_the_value_of_its_first_end(surface, expected):
    assert value_of(surface) == expected


@given(st.integers(0, 9999), st.integers(0, 99), st.sampled_from(",٬"), st.sampled_from(["%", " درصد", " هزار", "میلیارد تومان", " دلاری"]))
def test_a_comma_before_a_measure_is_a_decimal_point(whole, decimals, comma, measure):
    assert value_of(f"{whole}{comma}{decimals}{measure}") == value_of(f"{whole}.{decimals}{measure}")


@given(NUMBERS)
def test_words_round_trip(n):
    assert value_of(spell(n)) == (n, None)
    assert value_of(spell(n).replace(" ", ZWNJ)) == (n, None)


@given(NUMBERS)
def test_the_three_scripts_are_worth_the_same(n):
    assert {value_of(str(n).translate(str.maketrans("0123456789", digits))) for digits in ("0123456789", "۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩")} == {
        (n, None)
    }


@given(st.one_of(TEXT, st.text()))
def test_numerals_never_overlap_and_begin_and_end_on_a_sign(text):
    folded = fold(text).text
    after = 0
    for numeral in find(folded):
        assert after <= numeral.start < numeral.end <= len(folded)
        assert folded[numeral.start : numeral.end].strip() == folded[numeral.start : numeral.end]
        after = numeral.end


@pytest.mark.parametrize("piece", ["هزار و ", "هزار ", "سیصد", "صد و بیست و ", "5 میلیون و ", "5 میلیون 3 هزار ", "1,", "9", "% "])
def test_work_grows_with_the_length_of_the_text_and_no_faster(piece, steps_of):
    small, large = (steps_of(find, piece * n) for n in (100, 800))
    assert large <= 9 * small
