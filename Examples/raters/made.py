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
    entries = []
    while sum(map(len, entries)) < len(text):
        entry = rng.choice(LISTS[stock]).format(rng.choice(subjects), rng.choice(words).lower())
        entries.append(entry.title() if rng.random() < 0.1 else entry)
    return rng.choice((", ", "\n", " | ", " ")).join(entries)


def word_salad(rng: random.Random, text: str, level: float) -> str:
    """Words of ``text``, drawn with replacement, in sentences that say nothing."""
    words = text.split() or ["example"]
    kept = [w for w in words if rng.random() >= level]
    drawn = [rng.choice(words).strip(".,;:").lower() for _ in words[len(kept) :]]
    for place in range(0, len(drawn), rng.randint(6, 14)):
        drawn[place] = drawn[place].capitalize()
    return " ".join(kept + drawn)


def shuffled_sentences(rng: random.Random, text: str, level: float) -> str:
    """Permute the sentences."""
    sentences = re.split(r"(?<=[.!?])\s+", text)
    rng.shuffle(sentences)
    return " ".join(sentences)


def spread_letters(rng: random.Random, text: str, level: float) -> str:
    """Put spaces between the letters, or a word or two on a line between blank ones."""
    words = text.split()
    lines = rng.random() < 0.5
    out = []
    for word in words:
        if rng.random() >= level:
            out.append(word + " ")
        elif lines:
            out.append(word + "\n" * rng.randint(1, 4) + " " * rng.choice((0, 0, 4, 12)))
        else:
            out.append(" ".join(word) + "  ")
    return "".join(out)


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
