"""Junk that is made: banners, lists for search engines, word salad, and text in the wrong order or in wrong spaces.

Banners and lists have two stocks of sentences, of which one is for training and the other for the card alone: what the
card says of them is no memory of the words.
"""

import random
import re

#: {0}: a name, {1}: a word.
BANNERS = (
    (
        "We use cookies to improve your experience on our website.", "Accept all cookies", "Reject all", "Manage preferences",
        "By continuing to browse this site you agree to our use of cookies.", "Read our privacy policy to learn more.",
        "Sign up for our newsletter and never miss an update.", "Enter your email address", "Subscribe now",
        "Copyright \u00a9 2021 {0}. All rights reserved.", "Terms of use | Privacy | Contact us | Sitemap",
        "Share this article on Facebook Twitter LinkedIn", "Read more", "Posted by admin on March 3, 2019. 0 comments",
        "Log in to leave a comment.", "Related posts: {1}, {1}, {1}", "Free shipping on all orders over $50!",
        "Add to cart", "In stock. Ships within 24 hours.", "Previous post", "Next post", "Back to top", "Skip to content",
        "This website stores cookies on your computer.", "Necessary Preferences Statistics Marketing", "Powered by {0}",
        "You have no items in your shopping cart.", "Click here to download the app.", "Follow us on Instagram",
        "Please enable JavaScript to view this page.", "Your browser is out of date. Please update it.",
        "Create an account or sign in", "Forgot your password?", "Showing 1-12 of 240 results", "Sort by: price, low to high",
        "Home", "About", "Blog", "Shop", "Help", "FAQ", "Careers", "Log in", "Search", "Menu", "My account", "Wish list",
        "Home | Products | Services | About us | Contact", "\u00a9 2016 {0} Inc.", "Privacy policy", "Cookie policy",
        "By clicking accept you consent to the use of all cookies.", "We use cookies and similar technologies to personalise ads.",
        "Some of our partners process your data on the basis of legitimate interest.", "Learn more about how we use your data",
        "Tags: {1}, {1}, {1}, {1}", "Categories: {1} {1} {1}", "Share on WhatsApp", "Comments are closed.", "Reply Report Share",
        "Loading, please wait...", "Something went wrong. Try again later.", "You must be logged in to view this content.",
        "Enjoy unlimited access for only $1 a month.", "This article is for subscribers. Already a subscriber? Sign in.",
        "Rated 4.7 out of 5 stars (312 reviews)", "{0} {1} - buy it now at the best price!", "Limited time offer! Act now!",
        "Save up to 70% on {1} today only.", "Order now and get a second {1} absolutely free!", "100% satisfaction or your money back.",
        "Congratulations! You have been selected to win a free {1}.", "Earn $5000 a week from home, no experience needed.",
        "Lose weight fast with this one weird trick.", "Doctors hate this {1}!", "Call now, lines are open 24/7.",
        "Click the link below to claim your bonus.", "Play {1} online and win real money.", "Visit our store: www.{1}-{1}.com",
        "Recent posts", "Archives: March 2018 (12) February 2018 (9) January 2018 (31)", "RSS feed", "Print this page",
        "Last modified: 12 May 2015, 14:32", "Views: 1,204 Likes: 31", "Member since 2011, posts: 418", "Quote Reply Edit",
    ),
    (
        "Our partners and we store and access information on your device.", "Allow selection", "Deny", "Cookie settings",
        "This page needs cookies to work; some of them are set by third parties.", "I agree", "Show details",
        "Join our mailing list for exclusive deals and offers.", "Unsubscribe at any time.", "Your e-mail",
        "\u00a9 {0} 1998-2023 | Imprint | Disclaimer | Legal notice", "Designed by {0}, hosted by {0}",
        "Tweet | Pin it | Email | Print", "Continue reading", "Filed under: {1} | Tagged {1}, {1}", "Leave a reply",
        "Your email address will not be published. Required fields are marked *", "You may also like", "See all {1}",
        "Customers who viewed this item also bought {1}", "Buy now", "Only 3 left!", "Best price guaranteed",
        "Home > {1} > {1}", "Page 1 2 3 4 ... 19 Next", "Jump to navigation", "Open menu", "Close", "Search for:",
        "Register today and save 20%", "Reset password", "View our terms and conditions", "Get it on the app store",
        "Advertisement", "Sponsored content", "Report this ad", "Session expired. Reload the page.", "404 Not found",
    ),
)  # fmt: skip

#: {0}: a subject of one or two words, {1}: another word.
LISTS = (
    (
        "best {0} 2021", "cheap {0} online", "{0} near me", "buy {0}", "{0} reviews", "how to {0}", "{0} for sale", "top 10 {0}",
        "{0} {1} price", "discount {0}", "{0} free download", "{0} {1} deals", "what is {0}", "{0} coupon code", "used {0}",
        "{0}", "{0} {1}", "{1} {0}", "{1} {1} {0}", "{0} {0}", "{1}", "{0} for {1}", "{0} and {1}", "{1} of {0}", "{0} with {1}",
        "{0} ({1})", "best {0} {1}", "{0} service", "{0} {1} near {1}", "emergency {0}", "call {0} today", "{0}s", "our {0}",
    ),
    (
        "{0} store", "wholesale {0} supplier", "{0} vs {1}", "affordable {0} services", "{0} tips and tricks", "order {0} today",
        "{0} manufacturers {1}", "professional {0} company", "{0} guide", "{0} in {1}", "new {0} ideas", "{0} tutorial pdf",
    ),
)  # fmt: skip


def words_of(text: str) -> list[str]:
    """Return the words of letters alone."""
    return re.findall(r"[A-Za-z]{3,}", text)


def banners(rng: random.Random, text: str, stock: int) -> str:
    """What stands around an article: consent, menus, shops, footers; names are words of ``text``."""
    words = words_of(text) or ["example"]
    lines = []
    while sum(map(len, lines)) < len(text):
        line = rng.choice(BANNERS[stock])
        while "{1}" in line:
            line = line.replace("{1}", rng.choice(words).title(), 1)
        lines.append(line.replace("{0}", rng.choice(words).title()))
    return rng.choice(("\n", " ", "\n\n")).join(lines)


def keyword_list(rng: random.Random, text: str, stock: int) -> str:
    """Lists of what people might search for, about a few words of ``text``."""
    words = words_of(text) or ["example"]
    subjects = [" ".join(rng.choices(words, k=rng.randint(1, 2))).lower() for _ in range(rng.randint(1, 6))]
    chosen = LISTS[stock] if rng.random() < 0.5 else rng.sample(LISTS[stock], rng.randint(1, 4))
    entries: list[str] = []
    while sum(map(len, entries)) < len(text):
        entry = rng.choice(chosen).replace("{0}", rng.choice(subjects))
        while "{1}" in entry:
            entry = entry.replace("{1}", rng.choice(words).lower(), 1)
        entries.append(entry.title() if rng.random() < 0.1 else entry)
    return rng.choice((", ", "\n", " | ", " ", ". ", ", ")).join(entries)


def word_salad(rng: random.Random, text: str, level: float) -> str:
    """Words of ``text``, drawn with replacement, in sentences that say nothing."""
    words = text.split() or ["example"]
    kept = [w for w in words if rng.random() >= level]
    drawn = [rng.choice(words).strip(".,;:").lower() for _ in words[len(kept) :]]
    for place in range(0, len(drawn), rng.randint(6, 14)):
        drawn[place] = drawn[place].capitalize()
    return " ".join(kept + drawn)


def jumbled_phrases(rng: random.Random, text: str, level: float) -> str:
    """Permute the words of stretches of a few, or of sentences; what begins with a capital and what ends in a stop stay so."""
    words = text.split() or ["example"]
    most = rng.choice((4, 8, 16))
    out: list[str] = []
    while len(out) < len(words):
        size = rng.randint(3, most)
        stretch = words[len(out) : len(out) + size]
        end = next((n for n, word in enumerate(stretch, 1) if word[-1] in ".!?"), len(stretch))
        out += permuted(rng, stretch[:end]) if rng.random() < level else stretch[:end]
    return " ".join(out)


def permuted(rng: random.Random, words: list[str]) -> list[str]:
    """Permute words, in half of the cases with the first one's capital and the last one's mark where they were."""
    if rng.random() < 0.5:
        return rng.sample(words, len(words))
    mark = re.search(r"[.,;:!?]*$", words[-1])[0]
    bare = [*words[:-1], words[-1].removesuffix(mark)]
    if words[0].istitle():
        bare[0] = bare[0].lower()
    mixed = [word for word in rng.sample(bare, len(bare)) if word] or ["example"]
    if words[0].istitle():
        mixed[0] = mixed[0].capitalize()
    mixed[-1] += mark
    return mixed


def mixed_texts(rng: random.Random, texts: list[str]) -> str:
    """Words of several texts in turn, a few of each at most, in their order or in none."""
    supplies, most, length = [text.split() for text in texts], rng.choice((1, 2, 3, 4)), len(texts[0])
    if rng.random() < 0.5:
        for words in supplies:
            rng.shuffle(words)
    out: list[str] = []
    size = 0
    while size < length and any(supplies):
        words = rng.choice(supplies)
        taken = [words.pop() for _ in range(min(len(words), rng.randint(1, most)))]
        out += taken[::-1]
        size += sum(len(word) + 1 for word in taken)
    return " ".join(out)


def repeated_sentences(rng: random.Random, text: str, level: float) -> str:
    """A sentence or two of ``text``, or the beginning of one, again and again in place of its end."""
    sentences = re.split(r"(?<=[.!?])\s+", text)
    start = rng.randrange(len(sentences))
    words = " ".join(sentences[start : start + rng.randint(1, 2)]).split() or ["example"]
    again = " ".join(words[: rng.choice((3, 6, 9, 12, 20))])
    if again[-1] not in ".!?" and rng.random() < 0.7:
        again += "."
    kept = text[: round(len(text) * (1 - level))].rpartition(" ")[0]
    return " ".join([kept, *[again] * ((len(text) - len(kept)) // len(again) + 1)]).strip()


LOREM = re.findall(
    r"\w+",
    """lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna
aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute irure
in reprehenderit voluptate velit esse cillum fugiat nulla pariatur excepteur sint occaecat cupidatat non proident sunt culpa
qui officia deserunt mollit anim id est laborum vivamus curabitur pellentesque habitant morbi tristique senectus netus
malesuada fames ac turpis egestas vestibulum tortor quam feugiat vitae ultricies eget mauris placerat eleifend leo""",
)


def placeholder(rng: random.Random, text: str, stock: int) -> str:
    """The Latin that stands where text is to come."""
    words = ["Lorem", "ipsum", "dolor", "sit", "amet,"] if rng.random() < 0.4 else []
    while sum(map(len, words)) < len(text):
        sentence = rng.choices(LOREM, k=rng.randint(4, 14))
        words += [sentence[0].capitalize(), *sentence[1:-1], sentence[-1] + rng.choice((".", ".", ",", "?"))]
    return " ".join(words)


def shuffled_sentences(rng: random.Random, text: str, level: float) -> str:
    """Permute the sentences."""
    sentences = re.split(r"(?<=[.!?])\s+", text)
    rng.shuffle(sentences)
    return " ".join(sentences)


def spread_letters(rng: random.Random, text: str, level: float) -> str:
    """Put spaces between the letters of words, and more between those words."""
    return " ".join(" ".join(word) + " " if rng.random() < level else word for word in text.split())


def laid_out(rng: random.Random, text: str) -> str:
    """The same text in another layout, which says nothing of its quality: wrapped, indented, justified."""
    width, margin, spread = rng.randint(50, 90), rng.choice((0, 0, 4, 7)), rng.choice((0.0, 0.0, 0.15, 0.3))
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= width:
            lines.append(" " * margin + line)
            line = ""
        line += (" " * (2 if rng.random() < spread else 1) if line else "") + word
    return "\n".join([*lines, " " * margin + line])
