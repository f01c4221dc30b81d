"""What kind of claim a sentence makes, by verb, tense, quantity and modality.

The functions judge the news: what follows the last verb of saying, without the background before it («با بیان اینکه …، افزود: …»), and,
where the sentence ends in a verb of saying, what precedes it. They read a sentence in the order of the label guide (an act, else a figure,
else an aim), and abstain on what has no verb and no head that tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from models.labels import ANNOUNCEMENT, POLICY, STATISTIC

from . import numbers
from .base import ClaimFunction, Passage, any_of, lexicon
from .verbs import IMPERFECT, PARTICIPLE, PAST, PERFECT, SAID, SUBJUNCTIVE


def _word(*alternatives: str) -> re.Pattern[str]:
    """Whole words: any of some regular expressions."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)")


# The tenses of a finite verb; light verbs carry most Persian predicates.
_TENSES = {
    "future": r"ن?خواه(?:د|ند|یم|م|ید) ?\w+",
    "present": r"ن?می ?(?!لیارد|لاد)\w+(?:د|م|ی)",
    "imperfect": IMPERFECT,
    "perfect": rf"\w*{PERFECT}|{PARTICIPLE}(?=\W*$)|(?:بود|داشت)ه ?(?:است|اند)",
    "being": r"(?:وجود |قرار )?ن?(?:است|هست|هستند|هستیم|هستم|یست|یستند|یستیم|(?:دار|بود|داشت)(?:د|ند|یم|م)?)"
    r"|\w+هاست|ماست|چیست|کیست",
    "past": PAST,  # before the subjunctive: «رسید» is «reached», not «you may reach»
    "subjunctive": SUBJUNCTIVE,
}
_FINITE = "(?:" + "|".join(_TENSES.values()) + ")"
_INDICATIVE = "|".join(form for tense, form in _TENSES.items() if tense != "subjunctive")
_LAST_INDICATIVE = re.compile(rf".*(?<!\w)(?:{_INDICATIVE})(?!\w)", re.DOTALL)
_LAST_SUBJUNCTIVE = re.compile(rf".*(?<!\w)(?:{_TENSES['subjunctive']})(?!\w)", re.DOTALL)
_ENDING = {tense: re.compile(rf"(?<!\w)(?:{form})$") for tense, form in _TENSES.items()}

_SPEECH = rf"(?<!\w){SAID}(?!\w)"
_SPEECH_THEN_NEWS = re.compile(rf"{_SPEECH}(?: که(?!\w))? ?[:؛;]?|(?<!\w)به گفته [^؛:،,.]{{2,60}}[؛:،,]|^(?!به گزارش)[^:،؛]{{3,60}}:(?= )")
_SOURCE = re.compile(r"^\W*(?:به گزارش|به نقل از|بنا بر گزارش|خبرگزاری) [^،؛:,.]{2,90}[،؛:,]")
_TURN = re.compile(r"(?<!\w)(?:اما|ولی|بلکه)(?!\w)")
_TAIL = re.compile(
    rf"(?<!\w)(?<!بنا )(?<!قرار )(?<!لازم )(?<!ضروری ){_FINITE}(?= (?:که|تا|زیرا|چرا ?که|به طوری ?که|به گونه ?ای ?که)(?!\w))"
)

_MODAL = _word(lexicon("claim_modals"), rf"{any_of(['مکلف', 'موظف', 'ملزم', 'متعهد', 'نیازمند', 'ناگزیر', 'مجبور'])}(?:ند|یم|م|ید)")
_INTENT = _word(lexicon("claim_intents"), r"(?<=\w )به ?دنبال")  # at the head of a clause it is «after»: «به دنبال بارش باران …»
_AIM = re.compile(rf"(?<!\w){lexicon('claim_aims')}(?:ها|های|ی|مان|شان)?(?!\w)")
_RULE = _word(lexicon("claim_rules"))
_RESULT = _word(lexicon("claim_results"))
_ACT = lexicon("claim_events", "claim_openings")
_DAYS = rf"(?<!امام )(?<!ایمه )(?<!نماز ){lexicon('claim_days')}"  # «امام جمعه» is no Friday
_DAY = _word(_DAYS, rf"\d+ {lexicon('number_months')}")
_DATE = _word(_DAYS, lexicon("claim_dates"), rf"{lexicon('number_months')} ?(?:ماه|سال|امسال)?")
_TOTAL = _word(lexicon("claim_totals"))
_SERVED = _word(lexicon("claim_served"))
_CHANGE = _word(lexicon("claim_changes"))
_MEASURE_FIRST = re.compile(rf"^\W*(?:\w+ ){{0,3}}?(?:\d|{lexicon('claim_measures')}(?!\w))")
_EVENT = _word(rf"{_ACT}(?: و \w+)?(?: \w+){{0,2}}? {_FINITE}", r"به (?:اجرا|امضا|تصویب|پایان) \w+")
_DOING = _word(rf"{lexicon('claim_doings')} {_FINITE}")
_EVENT_FIRST = re.compile(  # in one of several clauses, and no relative one
    rf"(?:^|[،؛.:] ?)(?:(?! که )[^،؛.:])*?(?<!\w){_ACT}(?: \w+)??"
    rf" (?:{PAST}|{PERFECT}|{PARTICIPLE})(?: و |[،؛.] )"
)
_EVENT_HEAD = re.compile(rf"^\W*{lexicon('claim_event_heads')}(?!\w)")
_OPENED = _word(rf"(?:{lexicon('claim_openings')})(?: و \w+)?(?: \w+)? {_FINITE}", rf"آماده(?: ی)? {lexicon('claim_openings')}")
_UNDER_WAY = _word(
    r"(?:در حال|در دست) (?:انجام|ساخت|اجرا|احداث|تکمیل|برگزاری|بررسی|تجهیز|تدوین)",
    r"رو به (?:اتمام|پایان)",
    r"ادامه (?:دارد|داشت)",
    r"در جریان است",
    r"(?:برقرار|برپا|دایر|آماده) (?:است|هستند)",
    r"آماده (?:اعزام|ارایه|خدمت|خدمات|تحویل|اجرا|پذیرش)\w*",
    r"(?:قرار|بنا) ?(?:است|شد|شده)",
)
_STRESS = re.compile(rf"(?<!\w){any_of(['تاکید', 'خواستار', 'ابراز امیدواری', 'درخواست'])} {_FINITE}\W*$")
_RATED = re.compile(rf"(?<!\w)را (?P<what>[^:؛]*?){any_of(['دانست', 'برشمرد', 'خواند', 'عنوان کرد', 'ذکر کرد', 'توصیف کرد'])} و ")
_WORK_HEAD = re.compile(rf"^\W*{lexicon('claim_work_heads')} \w+ \w+")
_BREAKS_NEWS = re.compile(
    rf"(?<!\w)(?:{lexicon('claim_event_heads')}|{lexicon('claim_doings')}|آمادگی)(?!\w)[^:؛]* خبر (?:داد|می ?دهد|دادند)(?!\w)"
)

_LENGTH_OF_TIME = re.compile(r" ?(?:سال|ماه|روز|هفته|ساعت|دقیقه|دهه|دوره|بار|گام)(?:ه|ی|گذشته|اخیر)?(?!\w)")
_MEASURE = _word(lexicon("claim_measures"), "سن", "سنی", "عمر", "مدت", "امید به زندگی")


@dataclass(frozen=True)
class _Reading:
    """A sentence, taken apart: the ``news`` and its ``main`` clause; the ``tense`` of the verb that ends it, None for a headline.

    ``figure``: does the main clause hold a quantity that may be its point? ``wishes``: is it of what should be? ``spoken``: does it follow
    a verb of saying? ``broken``: is that «خبر داد», which makes it an announcement?
    """

    news: str
    main: str
    tense: str | None
    figure: bool
    wishes: bool
    spoken: bool
    broken: bool

    @property
    def event(self) -> bool:
        """An act: one that has been done, or one with a day set for it."""
        set_for = self.tense in ("future", "present") and _DATE.search(self.news)
        noun = _EVENT.search(self.main) or (not self.figure and _DOING.search(self.main))
        return self.broken or bool(
            _EVENT_FIRST.search(self.main) or _OPENED.search(self.main) or (noun and (self.tense in ("past", "perfect") or set_for))
        )

    @property
    def amount(self) -> bool:
        """A figure, where there is neither a wish nor an act it belongs to."""
        return self.figure and not self.wishes and not self.event

    @property
    def point(self) -> bool:
        """An amount that is what is told: counted, covered, changed, or the first thing said."""
        return self.amount and bool(_SERVED.search(self.main) or _CHANGE.search(self.main) or _MEASURE_FIRST.search(self.main))


@lru_cache(maxsize=1024)
def _read(text: str) -> _Reading:
    """Find the news of a folded sentence; a heading («…:») and a scrap of one or two words have none."""
    text = text.strip()
    lead = 0
    for match in _SPEECH_THEN_NEWS.finditer(text):
        if len(text[match.end() :].split()) >= 4:  # less is no clause: the verb of saying ends the sentence
            lead = match.end()
    news = text[lead:] if lead else _SOURCE.sub("", text)
    if len(news.split()) < 3 or news.endswith(":"):
        news = ""
    main = news
    for turn in _TURN.finditer(news):
        if len(news[turn.end() :].split()) >= 4:
            main = news[turn.end() :]
    if tail := _TAIL.search(main):
        main = main[: tail.end()]
    last = _LAST_INDICATIVE.match(main) or _LAST_SUBJUNCTIVE.match(main)
    tense = next((tense for tense, ending in _ENDING.items() if last and ending.search(last[0])), None)
    rule = tense in ("present", "being", "subjunctive", "future") and _RULE.search(news)
    wishes = bool(_MODAL.search(main) or _INTENT.search(main) or rule)
    return _Reading(news, main, tense, _holds_figure(main), wishes, lead > 0, bool(_BREAKS_NEWS.search(text[:lead])))


def _holds_figure(text: str) -> bool:
    """A quantity that is no handful in words («دو بخش», «سه محور»), nor a length of time without a measure («میانگین سنی ۲۳ سال»)."""
    for reading in numbers.readings(text):
        handful = reading.bare and reading.numeral.spelled and reading.numeral.value < 4
        lasts = reading.bare and _LENGTH_OF_TIME.match(reading.after) and not _MEASURE.search(text[: reading.numeral.start])
        if reading.reason is None and not (handful or lasts):
            return True
    return False


def act_done(passage: Passage) -> str | None:
    """An event's noun with a verb of the past: «ابلاغ شد», «به اجرا درآمد»; counted over a stretch of time it is a total.

    Fires: ANNOUNCEMENT: دستورالعمل اجرایی این طرح به استان‌ها ابلاغ شد.
    Not: این مراکز به سالمندان خدمات می‌دهند.
    """
    reading = _read(passage.text)
    done = reading.tense in ("past", "perfect") and reading.event
    return ANNOUNCEMENT if done and not reading.wishes and not (reading.figure and _TOTAL.search(reading.news)) else None


def act_among(passage: Passage) -> str | None:
    """An act in the first of several clauses; where clauses weigh the same, an act decides.

    Fires: ANNOUNCEMENT: وی گفت: این مرکز هفته گذشته افتتاح شد و ۴۰ تخت دارد.
    Not: وی گفت: این مرکز که هفته گذشته افتتاح شد و نوساز است، ۴۰ تخت دارد.
    """
    reading = _read(passage.text)
    return ANNOUNCEMENT if _EVENT_FIRST.search(reading.main) and not reading.wishes else None


def act_scheduled(passage: Passage) -> str | None:
    """An event's noun with a verb of what will be, and a date or an occasion.

    Fires: ANNOUNCEMENT: ۲۰۰ واحد مسکونی تا پایان شهریور تحویل مددجویان می‌شود.
    Not: وسایل کمک‌توانبخشی به معلولان اهدا می‌شود.
    """
    reading = _read(passage.text)
    set_for = reading.tense in ("future", "present") and _DATE.search(reading.news)
    return ANNOUNCEMENT if set_for and _EVENT.search(reading.main) and not reading.wishes else None


def opened(passage: Passage) -> str | None:
    """Openings, ceremonies and first uses are events whatever their tense.

    Fires: ANNOUNCEMENT: سه مرکز توانبخشی در شیراز به بهره‌برداری می‌رسد.
    Not: راه‌اندازی مرکز توانبخشی از نیازهای شهرستان است.
    """
    reading = _read(passage.text)
    return ANNOUNCEMENT if _OPENED.search(reading.main) and not reading.wishes else None


def breaks_news(passage: Passage) -> str | None:
    """«از … خبر داد», at the end or before what is added.

    Fires: ANNOUNCEMENT: مدیرکل بهزیستی فارس از راه‌اندازی دو مرکز درمانی خبر داد.
    Not: وی گفت: این سازمان با خیران همکاری می‌کند.
    """
    return ANNOUNCEMENT if _BREAKS_NEWS.search(passage.text) else None


def dated_act(passage: Passage) -> str | None:
    """A past tense, and a day or an occasion in the news.

    Fires: ANNOUNCEMENT: وزیر کار امروز با خانواده شهدا گفت‌وگو کرد.
    Not: وزیر کار با خانواده شهدا همدل است.
    """
    reading = _read(passage.text)
    return ANNOUNCEMENT if reading.tense in ("past", "perfect") and _DAY.search(reading.news) and not reading.wishes else None


def set_for_a_day(passage: Passage) -> str | None:
    """A present or a future tense, and a day.

    Fires: ANNOUNCEMENT: استاندار فردا به روستاهای سیل‌زده می‌رود.
    Not: استاندار به روستاهای سیل‌زده کمک می‌کند.
    """
    reading = _read(passage.text)
    return ANNOUNCEMENT if reading.tense in ("present", "future") and _DAY.search(reading.main) and not reading.wishes else None


def act_told(passage: Passage) -> str | None:
    """A past or perfect tense without a figure: something happened, a step was taken.

    Fires: ANNOUNCEMENT: هیئت مدیره انجمن ناشنوایان با استاندار گفت‌وگو کرد.
    Not: هدف این انجمن کاهش تبعیض بود.
    """
    reading = _read(passage.text)
    thinks = reading.wishes or _AIM.search(reading.main) or _STRESS.search(reading.main)
    state = reading.tense == "perfect" and (reading.spoken or _RESULT.search(reading.main) or _TOTAL.search(reading.main))
    return ANNOUNCEMENT if reading.tense in ("past", "perfect") and not (reading.figure or thinks or state) else None


def under_way(passage: Passage) -> str | None:
    """Work that goes on or has its turn: «در دست ساخت است», «رو به اتمام است», «قرار است … شود».

    Fires: ANNOUNCEMENT: مرکز جدید توانبخشی در دست ساخت است.
    Not: مرکز توانبخشی در دسترس سالمندان است.
    """
    reading = _read(passage.text)
    return ANNOUNCEMENT if _UNDER_WAY.search(reading.main) and not _MODAL.search(reading.main) else None


def event_headline(passage: Passage) -> str | None:
    """A headline that begins with an event's noun.

    Fires: ANNOUNCEMENT: افتتاح ۱۲ مرکز درمان اعتیاد در تبریز
    Not: ضرورت افتتاح مرکز درمان اعتیاد در تبریز
    """
    reading = _read(passage.text)
    return ANNOUNCEMENT if reading.tense is None and _EVENT_HEAD.search(reading.news) else None


def counted(passage: Passage) -> str | None:
    """So many there are: a figure, and a verb of being or having.

    Fires: STATISTIC: ۴۵ مهدکودک در این شهرستان وجود دارد.
    Not: این شهرستان مهدکودک دارد.
    """
    reading = _read(passage.text)
    return STATISTIC if reading.amount and reading.tense == "being" else None


def served(passage: Passage) -> str | None:
    """So many are covered, served, registered.

    Fires: STATISTIC: ۹ هزار سالمند از خدمات این اداره کل استفاده می‌کنند.
    Not: سالمندان از خدمات این اداره کل استفاده می‌کنند.
    """
    reading = _read(passage.text)
    return STATISTIC if reading.amount and _SERVED.search(reading.main) else None


def changed(passage: Passage) -> str | None:
    """By how much, or to what, it changed; a share.

    Fires: STATISTIC: اعتبار این بخش از ۲۰ به ۳۰ میلیارد تومان رسید.
    Not: اعتبار این بخش افزایش چشمگیری یافته است.
    """
    reading = _read(passage.text)
    return STATISTIC if reading.amount and _CHANGE.search(reading.main) else None


def total(passage: Passage) -> str | None:
    """A figure over a stretch of time: so far, last year, every month.

    Fires: STATISTIC: از ابتدای سال تاکنون ۶۰۰ نفر جذب بازار کار شدند.
    Not: ۶۰۰ نفر باید تا پایان سال جذب بازار کار شوند.
    """
    reading = _read(passage.text)
    over = reading.figure and not reading.wishes and _TOTAL.search(reading.news)
    return (
        STATISTIC if over and not (reading.event and reading.tense in ("present", "future")) and not _OPENED.search(reading.main) else None
    )


def measured(passage: Passage) -> str | None:
    """The news begins with a measure or with the figure itself.

    Fires: STATISTIC: میانگین مستمری هر خانوار ۲ میلیون تومان است.
    Not: میانگین مستمری هر خانوار باید به ۲ میلیون تومان برسد.
    """
    reading = _read(passage.text)
    return STATISTIC if reading.amount and reading.tense and _MEASURE_FIRST.search(reading.main) else None


def counted_act(passage: Passage) -> str | None:
    """A figure, and a past tense without a day: a total of what was done.

    Fires: STATISTIC: در این استان ۷ هزار نفر مهارت آموخته‌اند و شاغل شده‌اند.
    Not: در این استان شغل ایجاد شده است.
    """
    reading = _read(passage.text)
    past = reading.tense in ("past", "perfect") and not _DAY.search(reading.news)
    return STATISTIC if past and reading.amount else None


def figure_headline(passage: Passage) -> str | None:
    """A headline with a figure that does not begin with an event.

    Fires: STATISTIC: ارائه خدمات به ۹۰ هزار سالمند در گیلان
    Not: افتتاح ۱۲ مرکز درمان اعتیاد در تبریز
    """
    reading = _read(passage.text)
    headline = reading.tense is None and reading.amount and len(reading.news.split()) >= 4
    return STATISTIC if headline and not _EVENT_HEAD.search(reading.news) else None


def obliged(passage: Passage) -> str | None:
    """What must, should or can be.

    Fires: POLICY: باید خدمات توانبخشی گسترش یابد.
    Not: خدمات توانبخشی گسترش یافت.
    """
    reading = _read(passage.text)
    return POLICY if _MODAL.search(reading.main) and not reading.broken else None


def ruled(passage: Passage) -> str | None:
    """A rule or a condition, in a tense that holds: what a law, a plan or a provision lays down.

    Fires: POLICY: بر اساس ماده ۲۶ قانون، ۳ درصد مشاغل به افراد دارای معلولیت تعلق می‌گیرد.
    Not: بر اساس ماده ۲۶ قانون، دو مدیر منصوب شدند.
    """
    reading = _read(passage.text)
    holds = reading.tense in ("present", "being", "subjunctive", "future")
    return POLICY if holds and _RULE.search(reading.news) and not reading.event else None


def intended(passage: Passage) -> str | None:
    """What a body means or tries to do.

    Fires: POLICY: امسال بنا داریم تسهیلات را دو برابر کنیم.
    Not: امسال تسهیلات دو برابر شد.
    """
    reading = _read(passage.text)
    return POLICY if _INTENT.search(reading.main) and not reading.broken else None


def aimed(passage: Passage) -> str | None:
    """A priority, an aim, an approach, a duty is the subject or the predicate.

    Fires: POLICY: توانمندسازی زنان از اولویت‌های این سازمان است.
    Not: این سازمان ۳۰ کارگاه دارد.
    """
    reading = _read(passage.text)
    return POLICY if _AIM.search(reading.main) and not reading.event and not reading.amount else None


def rated(passage: Passage) -> str | None:
    """«X را از اولویت‌ها دانست و افزود»: the first of two clauses says what something is.

    Fires: POLICY: وی اشتغال را از اولویت‌های سازمان دانست و افزود: کارگاه‌ها در سه شهر فعال هستند.
    Not: وی دانست که کارگاه‌ها فعال هستند.
    """
    match = _RATED.search(passage.text)
    return POLICY if match and not _holds_figure(match["what"]) else None


def results_in(passage: Passage) -> str | None:
    """What something brings about.

    Fires: POLICY: این طرح موجب استقلال مالی خانواده‌ها می‌شود.
    Not: این طرح در یزد آغاز شد.
    """
    reading = _read(passage.text)
    return POLICY if _RESULT.search(reading.main) and reading.tense != "past" and not reading.figure and not reading.broken else None


def habitual(passage: Passage) -> str | None:
    """A present tense, no figure that is the point, no dated act: what a body does.

    Fires: POLICY: این سازمان به خانواده‌ها مشاوره رایگان می‌دهد.
    Not: ۵ هزار خانواده مشاوره رایگان دریافت می‌کنند.
    """
    reading = _read(passage.text)
    act = reading.event or _DAY.search(reading.main) or _OPENED.search(reading.main)
    return POLICY if reading.tense in ("present", "imperfect", "subjunctive") and not reading.point and not act else None


def characterised(passage: Passage) -> str | None:
    """A verb of being or having, no figure: what a thing is or is for.

    Fires: POLICY: مددکاری رکن اصلی خدمات اجتماعی است.
    Not: ۲۰۰ مددکار در این استان مشغول هستند.
    """
    reading = _read(passage.text)
    return POLICY if reading.tense == "being" and not (reading.figure or reading.event or _UNDER_WAY.search(reading.main)) else None


def described(passage: Passage) -> str | None:
    """A speaker's perfect tense without figure, act or day: how things have come to be.

    Fires: POLICY: وی گفت: خدمات این سازمان بر پایه نیاز خانواده‌ها بنا شده است.
    Not: دستورالعمل این خدمات ابلاغ شده است.
    """
    reading = _read(passage.text)
    plain = not (reading.figure or reading.event or _DAY.search(reading.news))
    return POLICY if reading.spoken and reading.tense == "perfect" and plain else None


def promised(passage: Passage) -> str | None:
    """A future without a figure or a date.

    Fires: POLICY: از کارآفرینان معلول پشتیبانی خواهیم کرد.
    Not: نمایشگاه فردا گشایش خواهد یافت.
    """
    reading = _read(passage.text)
    return POLICY if reading.tense == "future" and not reading.figure and not _DATE.search(reading.news) else None


def urged(passage: Passage) -> str | None:
    """Stress laid on something, as the predicate of the news.

    Fires: POLICY: استاندار بر گسترش خدمات توانبخشی تاکید کرد.
    Not: استاندار از مرکز توانبخشی بازدید کرد.
    """
    return POLICY if _STRESS.search(_read(passage.text).main) else None


def aim_headline(passage: Passage) -> str | None:
    """A headline without a figure that begins with a kind of work or a need.

    Fires: POLICY: لزوم توجه به سلامت روان کودکان
    Not: بازدید استاندار از مرکز کودکان
    """
    reading = _read(passage.text)
    return POLICY if reading.tense is None and not reading.figure and _WORK_HEAD.search(reading.news) else None


FUNCTIONS: tuple[ClaimFunction, ...] = (
    act_done,
    act_among,
    act_scheduled,
    opened,
    breaks_news,
    dated_act,
    set_for_a_day,
    act_told,
    under_way,
    event_headline,
    counted,
    served,
    changed,
    total,
    measured,
    counted_act,
    figure_headline,
    obliged,
    ruled,
    intended,
    aimed,
    rated,
    results_in,
    habitual,
    characterised,
    described,
    promised,
    urged,
    aim_headline,
)
