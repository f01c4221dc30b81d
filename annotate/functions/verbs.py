"""The forms of Persian verbs as far as patterns on folded text can tell them, for all functions that look for one.

Each name is a regular expression without the word's edges, for its users to put them.
"""

from __future__ import annotations

from .base import lexicon

_PAST_STEM = lexicon("verb_past_stems")
_PRESENT_STEM = lexicon("verb_present_stems")
_NOUN_STEM = lexicon("verb_noun_stems")
_PERSON = "(?:ند|یم|م|ید)"
_NEVER_PAST = "(?!(?:شدید|نبرد|نشست)(?!\\w))"
_NEVER_PRESENT = "(?!(?:مانند|زند|رود|روند|خرد|خرند|دهم|رسم|شوم|زنم|برد|برند|بریم)(?!\\w))"

# A stem that is a noun as well («ساخت», «پرداخت», «خرید») is a verb where its clause ends.
_CLAUSE_ENDS = rf"(?= ?(?:$|[^\w\s])| (?:که|تا)(?!\w)| و (?:ن?می ?\w|{lexicon('verb_speech')}(?!\w)))"
PAST = (
    rf"(?:{_NEVER_PAST}(?:ن?{_PAST_STEM}{_PERSON}|ن{_PAST_STEM}|(?!{_NOUN_STEM}(?!\w)){_PAST_STEM})"
    rf"|{_NOUN_STEM}(?!\w){_CLAUSE_ENDS})"
)
SUBJUNCTIVE = (
    rf"(?:(?!نبرد(?!\w))[نب]{_PRESENT_STEM}(?:د|{_PERSON})"
    rf"|{_NEVER_PRESENT}(?:{_PRESENT_STEM}(?:د|ند|یم)|(?:کن|باش|دار|توان|خواه|شو)(?:م|ید)))"
)
IMPERFECT = rf"ن?می ?{_PAST_STEM}{_PERSON}?"
PRESENT = rf"ن?می ?(?:{_PRESENT_STEM}(?:د|{_PERSON})|توان)"
PARTICIPLE = rf"{_PAST_STEM}ه"
PERFECT = rf"{PARTICIPLE} ?(?:است|اند|ایم|ام|بودند|بودیم|بودم|بود)"
SAID = rf"{lexicon('verb_speech')}(?:ند|ه|ه ?است|ه ?اند)?"
