"""Words that tell what a text speaks of: short lists by hand, since no tagger of words is at hand.

They are lists and no grammar: "content words" here are words that are on none of the others.
"""

from __future__ import annotations

STOP_WORDS = frozenset(
    """a about above across after again against all along also am among an and another any are
    around as at away be because been before behind being below beneath beside between both but by
    can could did do does doing down during each either etc ever every few for from front further
    had has have having he her here hers him himself his how i if in inside into is it its itself
    just left like made make makes many me middle more most much my near next no nor not of off on
    once one only onto or other others our out outside over own per right same she should so some
    such than that the their them themselves then there these they this those through to together
    too toward towards two under until up upon us very via was we were what when where which while
    who whom why will with within without would you your s t""".split()
)
QUALITY_WORDS = frozenset(
    """4k 8k 16k 4kk uhd hd hdr hq ultrahd fullhd highres accurate amazing artstation award awards
    beautiful best breathtaking clean crisp deviantart detail detailed details elegant elaborate
    epic excellent exquisite extreme extremely featured fine flawless focus gorgeous high highly
    hyperdetailed hyperrealistic hyperrealism impressive incredible insane insanely intricate
    intricately lifelike magnificent majestic masterful masterpiece masterwork octane perfect
    photorealistic photorealism photoreal polished popular professional quality raytracing realism
    realistic redshift rendered resolution sharp sharpness smooth stunning super superb trending
    ultra ultradetailed ultrarealistic unreal vivid vray winning wonderful""".split()
)
CONTENT_CLASSES = {
    "people": frozenset(
        """man men woman women boy boys girl girls child children kid kids baby person people player
        crowd lady guy king queen prince princess warrior soldier knight witch wizard portrait face
        family couple bride groom dancer worker artist actor actress astronaut""".split()
    ),
    "animals": frozenset(
        """animal animals dog dogs cat cats kitten puppy bird birds horse horses cow sheep goat pig
        bear bears wolf fox lion tiger elephant monkey rabbit mouse fish shark whale dolphin snake
        dragon turtle frog owl eagle duck chicken butterfly bee spider insect dinosaur""".split()
    ),
    "nature": frozenset(
        """landscape mountain mountains forest tree trees river lake ocean sea beach wave waves sky
        sunset sunrise cloud clouds snow desert island waterfall valley field grass flower flowers
        garden jungle moon stars space planet galaxy nebula storm rain""".split()
    ),
    "buildings and places": frozenset(
        """building buildings house houses city street town village castle tower bridge church temple
        room kitchen bedroom interior architecture skyscraper road park station market shop store
        restaurant bar office school stage alley cabin palace ruins""".split()
    ),
    "things and food": frozenset(
        """car cars truck bus train bicycle bike motorcycle boat ship plane airplane spaceship robot
        sword ball table chair book phone computer guitar hat food fruit apple pizza cake bread cup
        coffee bottle clock lamp machine toy""".split()
    ),
}
"""An image is of every class of which its prompts have a word, else of none of them."""
NO_CLASS = "none of these"
