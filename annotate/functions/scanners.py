"""Where names, offices and programmes begin and end: the one place that decides, so that functions which agree agree to the character.

A scanner takes the ``Words`` of a folded text and the index of a word and returns the index after the phrase that begins there, or None.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from models.text import fold

from .base import entries, lexicon
from .words import (
    COMMON_WORDS,
    COUNTRIES,
    FUNCTION_WORDS,
    LIGHT_VERB,
    PLACE_PHRASES,
    PLACES,
    PUNCTUATION,
    SPEECH,
    TIME_WORDS,
    Words,
    at_boundary,
    is_verb,
    joined,
    phrase,
    phrases,
    title_end,
    vocabulary,
    word_set,
)

# --- names -------------------------------------------------------------------------------------------------------------------------

FIRST_NAMES = vocabulary("first_names", "first_names_foreign")
_FIRST_PHRASES = joined(  # «ماه منیر», but not «به آیین» and «سی گل», which are mostly «to the ceremony» and «thirty goals»
    *(name for name in entries("first_names") if " " in name and fold(name).text.split()[0] not in FUNCTION_WORDS | {"سی"})
)
AMBIGUOUS_FIRST_NAMES = vocabulary("first_names_ambiguous") - FIRST_NAMES - vocabulary("titles")
PROMINENT = phrases("surnames_prominent")
_SURNAMES = vocabulary("surnames", "surnames_prominent")
_SURNAME_TAILS = word_set("نژاد پور زاده فر نیا کیا فرد مقدم اصل راد منش تبار نسب پناه دوست خواه وند مهر پرور خو گو جو فام سرشت یان آذر")
_SURNAME_ENDING = re.compile(
    r"\w{2,}(?:زاده|زادگان|پور|نژاد|نیا|فرد|وند|منش|نسب|تبار|پناه|دوست|خواه|اوغلی|اوغلو|الدینی|اللهی|اللهیان|چیان)|\w{3,}فر"
)
_FAMILY_PARTICLES = word_set("بن ابن آل ال فون ون دی دو لا ابو")
_COMPOUND_FIRST = word_set(
    "عزت روح اسد حبیب فتح ذبیح ولی رحمت قدرت نعمت عنایت امر سیف شکر فیض خیر ید عین حشمت هدایت لطف امین کرم عطا نصر حجت صلاح شمس ضیا نظام "
    "جمال کمال سراج محی علا بها صدر جلال شهاب نجم معین زین سعد فخر شجاع "
    "قطب رکن مجد ناصر نور بدر حسام عماد برهان اشرف زهرا فاطمه اعظم اکرم مریم"
)
_COMPOUND_SECOND = word_set("الله الدین السادات سادات العابدین اله")
_FIRST_PARTS = ("سید", "میر", "محمد", "علی", "حسین", "حسن", "غلام", "عبدال", "امیر")
_SAYYID = frozenset(("سید", "سیده", "میرزا"))
_NOT_SURNAME = re.compile(r"\w+(?:های|هایی|هایش|ترین|تری|کننده|کنندگان|شناسی|سازی|گذاری|ریزی|کاری|رسانی|ستان|یتی|المللی)|\w*\d\w*")
_OFFICE_WORDS = vocabulary("office_heads", "office_units")


@lru_cache(maxsize=65536)
def is_first_name(word: str) -> bool:
    """Whether a word is a first name, or two written as one: «علی‌محمد», «سیدجلال»."""
    if word in FIRST_NAMES:
        return True
    return word not in COMMON_WORDS and any(
        word.startswith(part) and (word[len(part) :] in FIRST_NAMES or word[len(part) :] in AMBIGUOUS_FIRST_NAMES) for part in _FIRST_PARTS
    )


def given_names(words: Words, i: int) -> int:
    """Index after the first names that begin at word ``i`` («سید» among them); ``i`` where there is none."""
    j = i
    while j < len(words):
        word = words[j]
        if (phrase_end := words.longest(_FIRST_PHRASES, j)) is not None:
            j = phrase_end
        elif word in _COMPOUND_FIRST and words[j + 1] in _COMPOUND_SECOND:
            j += 2
        elif is_first_name(word) or (j == i and word in _SAYYID):
            j += 1
        else:
            break
    return j


def is_surname(word: str) -> bool:
    """Whether a word looks like a surname by itself: listed, with a surname's ending, or a listed place with «ی»."""
    if word in COMMON_WORDS:
        return False
    return word in _SURNAMES or bool(_SURNAME_ENDING.fullmatch(word)) or (len(word) > 5 and word.endswith("ی") and word[:-1] in PLACES)


_LIGHT = word_set("شد شدند شود شوند شده کرد کردند کند کنند")  # the word before them is the verb's: «(شب) یلدا برگزار شد»


def may_be_surname(words: Words, i: int) -> bool:
    """Whether the word at ``i`` can be a surname after a first name: any word that is in no other use."""
    word = words[i]
    if len(word) < 2 or not word.isalpha() or word in COMMON_WORDS or word in _PREDICATES or word.isascii():
        return False
    if is_surname(word) or word in _SURNAME_TAILS:
        return True
    if words[i + 1] in _LIGHT:
        return False
    if word.endswith(("ای", "وی")) and word[:-1] in COMMON_WORDS:  # «اجرای», «سوی»
        return False
    return (
        not (word in COUNTRIES or word in _OFFICE_WORDS or _NOT_SURNAME.fullmatch(word) or is_verb(words, i))
        and title_end(words, i) is None
    )


def surname_end(words: Words, i: int) -> int:
    """Index after the surname that begins at word ``i``, second parts included («قبادی دانا»); ``i`` where there is none."""
    if words[i] in _FAMILY_PARTICLES and may_be_surname(words, i + 1) and len(words[i + 1]) > 2:
        return i + 2
    if not may_be_surname(words, i):
        return i
    j = i + 1
    while j < i + 3 and may_be_surname(words, j):
        new = words[i] not in PROMINENT and at_boundary(words, j + 1)
        if not (words[j] in _SURNAME_TAILS or is_surname(words[j]) or new):
            break
        j += 1
    return j


@lru_cache(maxsize=4096)
def full_name(words: Words, i: int) -> int | None:
    """Index after the name that begins at word ``i`` with a first name and goes on with a surname."""
    if place_phrase(words, i) is not None:  # «علی آباد»
        return None
    j = given_names(words, i)
    if j == i:
        if words[i] in AMBIGUOUS_FIRST_NAMES and (
            is_surname(words[i + 1]) or (given_names(words, i + 1) == i + 2 and is_surname(words[i + 2]))
        ):
            return surname_end(words, max(i + 1, given_names(words, i + 1)))
        return None
    k = surname_end(words, j)
    if k > j:
        return k
    alone = words[j - 1] in _COMPOUND_SECOND or (words.longest(_FIRST_PHRASES, i) == j and not _all_first_names(words, i, j))
    return j if j - i >= 2 and not alone else None


def place_phrase(words: Words, i: int) -> int | None:
    """Index after the place of several words at word ``i``, unless it is made of first names alone: «علی اکبر»."""
    end = words.longest(PLACE_PHRASES, i)
    return None if end in (None, i + 1) or _all_first_names(words, i, end or i) else end


def _all_first_names(words: Words, i: int, j: int) -> bool:
    return all(is_first_name(word) or word in AMBIGUOUS_FIRST_NAMES for word in words.forms[i:j])


def name_at(words: Words, i: int) -> int | None:
    """Index after the name at word ``i``, full or a bare surname, where the context has already said that a person is named."""
    if (j := full_name(words, i)) is not None:
        return j
    j = given_names(words, i) if words[i] not in AMBIGUOUS_FIRST_NAMES else i + 1
    j = max(j, surname_end(words, j))
    return j if j > i and may_be_surname(words, j - 1) else None


_EPONYMS = vocabulary("eponyms")
_EPONYM_GAP = word_set(
    "ورزشی فرهنگی آموزشی علمی صنعتی تجاری دولتی ملی علوم پزشکی قضایی پسرانه دخترانه هوایی درمانی بهداشتی توانبخشی جامع سلامت شبانهروزی "
    "شهید شهدای امام حضرت علامه آیت الله خواجه سردار دکتر حاج آقا خانم سید میرزا استاد شیخ مرحوم"
)


def is_eponym(words: Words, i: int) -> bool:
    """Whether the name at word ``i`` is part of the name of a street, a school, a body …: «بیمارستان شهید رضایی»."""
    k = i - 1
    while words[k] in _EPONYM_GAP:
        k -= 1
    return words[k] in _EPONYMS and words[k - 1] not in DETERMINERS  # «رئیس این مرکز علی رضایی»


# --- noun phrases: offices and programmes ----------------------------------------------------------------------------------------------

UNITS = vocabulary("office_units")
# A member of a board needs nothing after it; joined, so that «هیئت‌مدیره», which folds to one word, is found too.
_MEMBERS = joined(*(f"عضو {board} {kind}" for board in ("هیئت", "هیات") for kind in ("مدیره", "علمی", "رئیسه", "امنا", "امنای")))
_OFFICE_HEAD = phrases("office_heads") | _MEMBERS
_OFFICE_COMPLETE = phrases("offices_complete")
_INNER_NAME = (
    "ولی فقیه|ولی امر|ایمه جمعه|نماز جمعه"
    "|عمومی و انقلاب|تعاون ?، ?کار و رفاه اجتماعی|علوم ?، ?تحقیقات و فناوری|بهداشت ?، ?درمان و آموزش پزشکی|صنعت ?، ?معدن و تجارت"
    "|میراث فرهنگی ?، ?(?:صنایع ?دستی و گردشگری|گردشگری و صنایع ?دستی)"
    "|پیشگیری از|(?:مبارزه|مقابله) با|(?:حمایت|صیانت|حفاظت|پشتیبانی|نگهداری|مراقبت|حراست|تجلیل) از|نظارت بر|مبتنی بر|متکی بر"
    "|رسیدگی به|کمک به|دسترسی به|امر به معروف|نهی از منکر|برای امور"
)
_INNER = phrase(
    rf"{_INNER_NAME}"
    "|در (?:امور|مجلس|سازمان ملل|سازمان|شورای|هییت|هیات|کمیته|کمیسیون|استان|حوزه|اتحادیه|دولت|آژانس|ستاد|دانشگاه|سپاه|مناطق|بنیاد)"
)
_WHOLE = word_set("ولی ائمه نماز")  # their phrases end in words that else end a phrase
_REGIONS = word_set("استان شهرستان شهر روستای")
_NUMBERED = word_set("منطقه ناحیه شعبه شماره کلانتری دوره لشکر تیپ کرسی ماده تبصره بند اصل")
_PREDICATE_NOUNS = word_set(
    "اعلام تاکید اظهار بیان تصریح ابراز اشاره عنوان اضافه خبر ادامه توضیح "
    "قرار دستور هشدار پاسخ انجام خاطرنشان یادآور متذکر مطرح دعوت درخواست "
    "حضور سخنرانی دیدار صحبت شرکت تلاش انتقاد حمایت تقدیر تشکر اقدام خواستار مدعی "
    "معتقد منصوب موفق موظف مکلف آغاز برگزار اجرا افتتاح راهاندازی ارایه ایجاد پیگیری "
    "استفاده اختصاص پرداخت آماده رونمایی عازم وارد وعده سفر معرفی تشکیل تصویب امضا منتشر تهیه تدوین طراحی تکمیل ثبت انتخاب "
    "ابقا برکنار عزل بازداشت دستگیر ترور محکوم معرفی راهی تایید تهدید متهم ملزم حاضر مجبور مواجه روبرو کشته زخمی حاکی استعلام"
)
# They never qualify a noun: the noun phrase has ended, however far its verb is.
_PREDICATES = word_set("خواستار عازم راهی مدعی معتقد منصوب وارد خواست")
_AFTER_PLACES = word_set("سابق اسبق وقت پیشین فعلی کنونی بزرگ شرقی غربی شمالی جنوبی مرکزی ایران اسلامی منتخب موقت خودرو مجلس رضوی")
_JOINED_TITLES = ("آیتالله", "حجتالاسلام", "حجهالاسلام", "ایتالله")
_GROUPS = word_set(
    "جمعی اعضای هییت هیات مسیولان مسیولین مدیران معاونان مقامات نمایندگان فرمانده فرماندهان اعضا "
    "مردم خانواده سایر دیگر کارکنان شماری استانداران فرمانداران وزرا برخی مسوولان وزیران همسر"
)
# People that a unit may be for: «امور بانوان و خانواده».
_SERVED = word_set("خانواده مردم")
_FOR_PEOPLE = word_set("بانوان زنان امور سلامت")


def _is_closed(words: Words, start: int, k: int) -> bool:
    """Whether the phrase up to word ``k`` has reached a place, over which no ezafe chain goes on."""
    last = words[k - 1]
    if last == "کشور":
        return k - 1 > start
    if k > start and last in COUNTRIES:
        return True
    return (k - 1 > start and words[k - 2] in _REGIONS) or (
        k - 2 > start and words[k - 3] in _REGIONS and words.longest(PLACE_PHRASES, k - 2) == k
    )


def _joins(words: Words, start: int, k: int) -> bool:
    """Whether «و» or a comma at word ``k`` joins two parts of one unit's name, and does not begin another phrase."""
    after = words[k + 1]
    if "مردم" in words.forms[start:k]:  # a member of parliament's constituency
        return words.longest(PLACE_PHRASES, k + 1) is not None
    if words[k] == "و" and after in _SERVED and not _FOR_PEOPLE.isdisjoint(words.forms[start:k]):
        return not _is_closed(words, start, k)
    if _is_closed(words, start, k) or after in _GROUPS or ends_phrase(words, k + 1) or words.longest(_OFFICE_HEAD, k + 1) is not None:
        return False
    if words[k] == "و":
        return after in UNITS or (words[k - 1] in UNITS and after not in COMMON_WORDS)
    return words[k - 1] in UNITS and after in UNITS and any(words[m] == "و" and words[m + 1] in UNITS for m in range(k + 2, k + 6))


def ends_phrase(words: Words, i: int) -> bool:
    """Whether no noun phrase goes on over word ``i``: a sign, a function word, time, verb, title or name."""
    word = words[i]
    if word.startswith(_JOINED_TITLES):  # «آیت‌اللههاشمی»
        return True
    if not word or PUNCTUATION.match(word) or word in FUNCTION_WORDS or word in TIME_WORDS:
        return True
    if word[0].isdigit() or word in DETERMINERS:
        return words[i - 1] not in _NUMBERED
    if word.isascii():
        return True
    if word in _PREDICATES or words.match(SPEECH, i) is not None or is_verb(words, i):
        return True
    speech = words.match(SPEECH, i + 1) is not None  # «خانواده گفت», «پرونده افزود» are nouns before a verb
    participle = len(word) > 4 and word.endswith(("ته", "ده")) and is_verb(words, i + 1) and not speech
    return participle or words.match(LIGHT_VERB, i + 1) is not None or (word in _PREDICATE_NOUNS and is_verb(words, i + 1))


def _named_person(words: Words, i: int) -> bool:
    """Whether a person's name, with or without its title, interrupts a noun phrase at word ``i``."""
    after_title = title_end(words, i)
    if after_title is not None and (full_name(words, after_title) or may_be_surname(words, after_title)):
        return True
    return full_name(words, i) is not None


Joiner = Callable[[Words, int, int], bool]


def complement_end(words: Words, i: int, joins: Joiner = _joins, longest: int = 16, within: re.Pattern[str] = _INNER) -> int:
    """Index after the ezafe chain of nouns, units and places that begins at word ``i``; ``i`` where there is none.

    ``joins(words, i, k)`` says whether the chain goes on over «و» or a comma at word ``k``, ``within`` matches what it goes on over else.
    """
    k = i
    while k < min(i + longest, len(words)):
        inner = words.match(within, k)
        if inner is not None and (_stands_whole(words, k, inner) or not ends_phrase(words, inner)):
            k = inner
        elif (place := place_phrase(words, k)) is not None:
            k = place
        elif words[k] in ("و", "،") and k > i and joins(words, i, k):
            k += 1
        elif (
            words[k] in _EPONYM_GAP
            and any(w in _EPONYMS for w in words.forms[max(0, i - 1, k - 4) : k])
            and not ends_phrase(words, k + 1)
            and words.match(within, k + 1) is None
        ):
            k = full_name(words, k + 1) or k + 2
        elif (
            ends_phrase(words, k)
            or _named_person(words, k)
            or (_is_closed(words, i, k) and words[k] not in _AFTER_PLACES and words.longest(PLACE_PHRASES, k) is None)
        ):
            break
        else:
            k += 1
    while k > i and words[k - 1] in ("و", "،"):  # they join what turned out to be a name, or nothing
        k -= 1
    return k


def _stands_whole(words: Words, i: int, end: int) -> bool:
    """Whether the phrase from word ``i`` to ``end`` may be the last of its chain: «ولی فقیه», «(نماینده …) در مجلس»."""
    return words[i] in _WHOLE or words[i] in UNITS or words[end - 1] == "مجلس"


# Before these an office is a class of people or one among many: «این مسوول», «یک نماینده», «هر وزیر».
DETERMINERS = word_set("این آن هر یک هیچ کدام چند چندین بهترین همین همان دو سه چهار پنج")
# Offices of state, which a country completes; and those that are held at a place: «سفیر ایران در مسکو».
_STATESMEN = word_set("جمهور جمهوری رییسجمهور رییسجمهوری وزیر نخستوزیر صدراعظم ولیعهد")
_POSTED = word_set("نماینده سفیر کاردار رایزن سرکنسول")
_ALONE = joined("استاندار", "فرماندار", "شهردار", "دادستان", "بخشدار", "سخنگو")
_BEFORE_THIS = frozenset(("پیش از این", "پس از این", "قبل از این", "بعد از این", "علاوه بر این", "افزون بر این"))
_NOT_OFFICE = joined(
    "سرپرست خانوار", "سرپرست خانواده", "مسئول است", "مسئول این", "مدیر ارشد", "مشاور خانواده", "معاون او", "رهبر ارکستر", "مسئول حفظ"
)


def pointed_out(words: Words, i: int) -> bool:
    """Whether a determiner stands before word ``i`` and is its own: «این وزیر», but not «پیش از این وزیر …»."""
    return words[i - 1] in DETERMINERS and " ".join(words.forms[max(0, i - 3) : i]) not in _BEFORE_THIS


def office_head(words: Words, i: int) -> int | None:
    """Index after the noun of office at word ``i``."""
    return words.longest(_OFFICE_HEAD, i)


def complete_office(words: Words, i: int) -> int | None:
    """Index after the office at word ``i`` that names one person by itself («مقام معظم رهبری»)."""
    return words.longest(_OFFICE_COMPLETE, i)


def is_adjective(words: Words, i: int) -> bool:
    """Whether «مسئول» at word ``i`` says what answers for something: «دستگاه‌های مسئول»."""
    return words[i] in ("مسیول", "مسوول") and words[i - 1].endswith(("های", "ها"))


def complete_end(words: Words, i: int) -> int:
    """Index after the country that may follow an office complete before word ``i``: «رهبر انقلاب اسلامی ایران»."""
    return i + 1 if words[i] == "ایران" else i


@lru_cache(maxsize=4096)
def office_at(words: Words, i: int) -> int | None:
    """Index after the office that begins at word ``i``: its head noun with the unit, organisation and place that complete it."""
    head, complete = office_head(words, i), complete_office(words, i)
    if (head is None and complete is None) or words.longest(_NOT_OFFICE, i) is not None or pointed_out(words, i) or is_adjective(words, i):
        return None
    if complete is not None and words[complete - 1] not in _STATESMEN:
        return complete_end(words, complete)
    start = max(head or 0, complete or 0)
    end = complement_end(words, start)
    if words[i] in _POSTED and words[end] == "در" and words.longest(PLACE_PHRASES, end + 1) is not None:
        end = complement_end(words, end + 1)
    if end > start or complete is not None or words.longest(_MEMBERS, i) is not None:
        return end
    alone = words.longest(_ALONE, i)
    return alone if alone is not None and at_boundary(words, alone) else None


# --- programmes --------------------------------------------------------------------------------------------------------------------

_PROGRAM = phrases("programs")
_PROGRAM_HEADS = word_set("طرح برنامه سامانه پویش کمپین صندوق پروژه رزمایش نهضت جشنواره اپلیکیشن سند نظام درگاه پنجره")
_FIRST_COMPLEMENT = {
    "برنامه": vocabulary("program_plans"),
    "نهضت": word_set("ملی"),
    "جشنواره": word_set("ملی کشوری"),
    "رزمایش": word_set("مواسات همدلی کمک مومنانه احسان خدمت مهرورزی همدلانه سراسری بزرگ"),
    "سند": word_set("تحول راهبردی ملی جامع توسعه آمایش مهندسی سلامت پیشگیری اشتغال گردشگری الگوی آموزش"),
    "نظام": word_set("جامع هماهنگ ارجاع رتبهبندی مراقبت"),
    "درگاه": word_set("ملی جامع"),
    "پنجره": word_set("ملی واحد"),
}
_WITH_MORE = word_set("پروژه برنامه سند نظام درگاه پنجره")  # one word does not single them out: «پروژه مسکن», «سند توسعه»
_CONSTRUCTION = vocabulary("construction")
_PARLIAMENT = word_set("مجلس کمیسیون فوریت دوفوریتی لایحه صحن بهارستان")
_CLAUSE_ENDS = frozenset(":؛.»")
_NEAR = 6  # words
# What the programme does or is done to, which begins the next phrase; not after «ملی» and «جامع»: «برنامه ملی کاهش …».
_ACTIONS = word_set(
    "ارایه اجرا اجرای ایجاد افزایش کاهش احداث افتتاح رونمایی نسبت اقدام حدود پرداخت جهت واگذاری "
    "تصمیم تعداد میزان امکان هدف تاکنون قصد خواهان روند اقدامات موجب باعث حاکی باهدف پیوست بخشی"
)
_LEADS_ON = word_set("ملی جامع")
_TRAILING = word_set("کشور خود وی مذکور مورد و")
_COUNTED = word_set("طرح پروژه برنامه صندوق سامانه")
_COUNTS = word_set("شش هفت هشت نه ده دهها صدها هزاران عنوان فقره دستگاه")
_ORGANISATIONS = word_set("سازمان وزارت شرکت اداره ادارات بانک بنیاد ستاد شهرداری دانشگاه دولت مجلس وزیر شبکه")
_KINDS = vocabulary("generic_complements")
_DESCRIPTIONS = vocabulary("program_descriptions")
_GENERIC = _KINDS | _DESCRIPTIONS
_INDEFINITE = word_set("جدیدی تازهای بزرگی مهمی خوبی مناسبی کاملی خاصی متعددی دیگری")
_NOT_PROGRAM = vocabulary("not_programs")
_LENDING = phrase(r"تسهیلات (?:تبصره \d+|بند \w+ تبصره \d+)|اعتبارات (?:تبصره|ماده) \d+")
_NTH = "(?:اول|دوم|سوم|چهارم|پنجم|ششم|هفتم|هشتم)"
_PLAN = phrase(
    rf"برنامه ?(?:های )?(?:پنج ?ساله )?{_NTH}(?: پنج ?ساله)?(?:(?: ?، ?{_NTH})? و {_NTH})?"
    "(?: (?:توسعه|پیشرفت)(?: اقتصادی ?، ?اجتماعی و فرهنگی)?(?: کشور)?)?"
    "|برنامه پنج ?ساله توسعه(?: کشور)?"
    "|صندوق بیمه اجتماعی کشاورزان ?، ?روستاییان و عشایر"
    r"|سند چشم ?انداز(?: (?:بیست|20) ساله)?|خط (?:123|1480|115)|صدای مشاور(?: 1480)?"
)
_SETTINGS = word_set("روستایی شهری عشایری استانی کشوری دانشجویی دانشآموزی")  # they complete a known name: «طرح هادی روستایی»
# What a name goes on over: «در» is not among it, it says where the programme runs; a measure is: «طرح 10 ساله اشتغال», «چهار راه».
_IN_NAME = phrase(
    rf"{_INNER_NAME}|(?:ورود|بازگشت) به|(?:استفاده|بهره ?برداری|بازدید) از|برخورد با|مالیات بر|مشارکت در|(?<=های )بدون"
    r"|(?:سه|چهار) راه|(?:\d+|دو|سه|چهار|پنج|شش|ده|صد)(?: (?:هزار|میلیون|میلیارد))? ?"
    r"(?:ساله|روزه|ماهه|گانه|نفره|درصدی|مرحله ?ای|هکتاری|واحدی|کیلومتری|تنی|مگاواتی|تومانی|دلاری)"
)
_COPULA = phrase(
    r"است|نیست(?:ند)?|هست(?:ند)?|ن?بود(?:ه|ند)?|ن?باش(?:د|ند)|ن?خواهد بود|ن?می ?توان(?:د|ند)|(?:ن?می ?)?توانست(?:ه|ند)?|ن?خواهد توانست"
)
_PREDICATIVES = word_set("کذب فعال متصل آماده ضروری لازم الزامی مهم موثر موفق مفید کارآمد ناموفق ناتمام ناقص نیازمند مناسب")
_EDITION = re.compile(r"\d{1,2}")
_NO_EDITION = frozenset("٪%/")
_MONTHS = vocabulary("number_months")
# What is raised and not carried out, with any ending: «طرح دیدگاه‌هایی».
_RAISED = re.compile(rf"{lexicon('raised_matters')}(?:ها|های|هایی|هایشان|هایش|اتی|ات|ای|ی|ش)?")
# Nouns in «ی», as no relational adjective ends: «طرح بیابان‌زدایی».
_NAMES_ALONE = re.compile(
    "(?:سازی|زدایی|رسانی|گذاری|بندی|یابی|ورزی|گری|گیری|آموزی|پروری|سپاری|بخشی|گزینی|یاری|خوانی|زایی|گستری|سنجی|شماری|ریزی|کاهی)$"
)
_LONGEST_PROGRAM = 9


def quoted_end(words: Words, i: int, longest: int = 8) -> int | None:
    """Index of the closing «»» of the quotation that opens at word ``i``."""
    if words[i] not in '«"' or not words[i]:
        return None
    return next((k for k in range(i + 2, min(i + longest + 2, len(words))) if words[k] in '»"'), None)


def program_head(words: Words, i: int) -> int | None:
    """Index after the noun at word ``i`` that programmes are named with."""
    return i + 1 if words[i] in _PROGRAM_HEADS else None


def kind_end(words: Words, i: int) -> int:
    """Index after the words from ``i`` on that say what kind a programme is and do not name it: «(طرح) ملی»."""
    while words[i] in _KINDS:
        i += 1
    return i


def known_program(words: Words, i: int) -> int | None:
    """Index after the programme at word ``i`` that has one fixed name, where it is at home included: «طرح هادی روستایی»."""
    end = max(words.longest(_PROGRAM, i) or 0, words.match(_LENDING, i) or 0, words.match(_PLAN, i) or 0)
    return (end + 1 if words[end] in _SETTINGS else end) if end else None


def not_a_program(words: Words, i: int, j: int) -> bool:
    """Whether the complement in words ``i`` to ``j - 1`` says that its head noun is a weapon, a bill, a broadcast."""
    return not _NOT_PROGRAM.isdisjoint(words.forms[i:j])


def is_counted(words: Words, i: int) -> bool:
    """Whether the head noun at word ``i`` is one of many of its kind: «این طرح», «۳ پروژه», «هفت پروژه»."""
    before = words[i - 1]
    numeral = before in _COUNTS or (before[:1].isdigit() and words[i - 2] != "سال")
    return before in DETERMINERS or (words[i] in _COUNTED and numeral)


@lru_cache(maxsize=4096)
def program_at(words: Words, i: int) -> int | None:
    """Index after the programme that begins at word ``i``: a known one, or a head noun with the complement that singles it out."""
    if (fixed := known_program(words, i)) is not None:
        return fixed
    head, noun = program_head(words, i), words[i]
    if head is None or is_verb(words, head) or is_counted(words, i) or words[i - 1] in _NOT_PROGRAM:
        return None
    if words[head].isascii() and (words[head].isalpha() or (noun == "سامانه" and words[head].isdigit())):  # «طرح CBR», «سامانه 123»
        return head + 1
    end = _program_end(words, head)
    if noun == "طرح" and _in_parliament(words, i, end):
        return None
    return end if _singles_out(noun, words.forms[head:end]) else None


def _program_end(words: Words, head: int) -> int:
    """Index after the name that goes on from ``head``, the word after its head noun; ``head`` where none does."""
    end = complement_end(words, head, _joins_program, _LONGEST_PROGRAM, _IN_NAME)
    end = next((k for k in range(head + 1, end) if words[k] in _ACTIONS and words[k - 1] not in _LEADS_ON), end)
    compound_verb = words[end - 1] in _PREDICATE_NOUNS and words[end].isalpha() and is_verb(words, end + 1)  # «ثبت نام کنند»
    if compound_verb or _begins_predicate(words, end - 1) or words[end] == "خود":
        end -= 1
    while end > head and words[end - 1] in _TRAILING:
        end -= 1
    return end + 1 if end > head and _is_edition(words, end) else max(end, head)


def _is_edition(words: Words, i: int) -> bool:
    """Whether the numeral at word ``i`` belongs to the name before it and counts nothing: «طرح رعد 5 اجرا شد»."""
    after = words[i + 1]
    counts = not ends_phrase(words, i + 1) or after in TIME_WORDS or after in _MONTHS or after in _NO_EDITION or after[:1].isdigit()
    return bool(_EDITION.fullmatch(words[i])) and not counts


def _begins_predicate(words: Words, i: int) -> bool:
    """Whether word ``i`` belongs to the verb after it: «(سامانه) متصل شد», «فعال است»; not «(طرح) اشتغال است», «اشتغال گفت»."""
    if not is_verb(words, i + 1) or words.match(SPEECH, i + 1) is not None:
        return False
    return words.match(_COPULA, i + 1) is None or words[i] in _PREDICATIVES


def _in_parliament(words: Words, i: int, end: int) -> bool:
    """Whether the clause tells of parliament near words ``i`` to ``end - 1``, so that «طرح» is a bill."""
    before = next((k for k in range(i - 1, -1, -1) if words[k] in _CLAUSE_ENDS), -1)
    after = next((k for k in range(end, len(words)) if words[k] in _CLAUSE_ENDS), len(words))
    return not _PARLIAMENT.isdisjoint(words.forms[max(before + 1, i - _NEAR) : min(after, end + _NEAR)])


def _joins_program(words: Words, start: int, k: int) -> bool:
    """Whether «و» at word ``k`` joins two parts of a programme's name: what follows is short and begins no phrase of its own."""
    after = words[k + 1]
    if words[k] != "و" or after in _ACTIONS | _GROUPS | _PROGRAM_HEADS | _ORGANISATIONS or office_head(words, k + 1) is not None:
        return False
    if _joins(words, start, k):
        return True
    return not (ends_phrase(words, k + 1) or _is_closed(words, start, k)) and any(ends_phrase(words, m) for m in range(k + 2, k + 5))


def _singles_out(noun: str, complement: tuple[str, ...]) -> bool:
    """Whether a complement makes one public programme of a head noun, and no weapon, building or programme of any kind."""
    if not complement or (noun in _FIRST_COMPLEMENT and complement[0] not in _FIRST_COMPLEMENT[noun]):
        return False
    if (
        complement[0] in _DESCRIPTIONS | _PREDICATIVES
        or complement[-1] in _INDEFINITE
        or _RAISED.fullmatch(complement[0])
        or (noun in _WITH_MORE and len(complement) < 2)
    ):
        return False
    if noun == "پروژه" and not _CONSTRUCTION.isdisjoint(complement[:2]):
        return False
    adjective = len(complement) == 1 and noun in _COUNTED and complement[0].endswith("ی") and not _NAMES_ALONE.search(complement[0])
    generic = all(word in _GENERIC or word in PLACES for word in complement) and not (complement[0] == "جامع" and complement[-1] in PLACES)
    return _NOT_PROGRAM.isdisjoint(complement) and not adjective and not generic
