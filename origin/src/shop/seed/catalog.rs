//! What the demo sells: the words and price ranges that products are made of.

/// A category and what is in it.
pub(super) struct Category {
    pub(super) name: &'static str,
    /// What kinds of things there are.
    pub(super) nouns: [&'static str; NOUNS],
    /// Cheapest and dearest, in cents.
    pub(super) price_cents: (u32, u32),
}

/// Kinds of things in each category.
pub(super) const NOUNS: usize = 8;

const fn category(name: &'static str, price_cents: (u32, u32), nouns: [&'static str; NOUNS]) -> Category {
    Category { name, nouns, price_cents }
}

/// Everything that is sold.
#[rustfmt::skip]
pub(super) const CATEGORIES: [Category; 40] = [
    category("audio", (1_900, 49_900), ["Headphones", "Bookshelf Speaker", "Soundbar", "Turntable", "Microphone", "Earbuds", "Amplifier", "Radio"]),
    category("baby", (600, 24_900), ["Stroller Blanket", "Baby Monitor", "High Chair", "Bottle Set", "Play Mat", "Night Light", "Carrier", "Bib Set"]),
    category("backpacks", (2_900, 19_900), ["Daypack", "Rolltop Backpack", "Laptop Backpack", "Hiking Backpack", "Sling Bag", "Duffel", "Waist Pack", "School Bag"]),
    category("bathroom", (500, 8_900), ["Towel Set", "Shower Head", "Bath Mat", "Soap Dispenser", "Mirror", "Laundry Basket", "Toothbrush Holder", "Bathrobe"]),
    category("bedding", (1_900, 34_900), ["Duvet", "Pillow", "Fitted Sheet", "Mattress Topper", "Duvet Cover", "Wool Blanket", "Bolster", "Mattress Protector"]),
    category("bikes", (900, 189_900), ["City Bike", "Gravel Bike", "Bike Light", "Helmet", "Pannier", "Floor Pump", "Bike Lock", "Saddle"]),
    category("books", (700, 4_900), ["Cookbook", "Travel Guide", "Mystery Novel", "Field Guide", "Atlas", "Short Stories", "Biography", "Picture Book"]),
    category("cameras", (3_900, 219_900), ["Compact Camera", "Mirrorless Camera", "Prime Lens", "Tripod", "Camera Bag", "Action Camera", "Flash", "Lens Filter"]),
    category("camping", (900, 59_900), ["Tent", "Sleeping Bag", "Camp Stove", "Lantern", "Camping Chair", "Cool Box", "Hammock", "Sleeping Mat"]),
    category("candles", (500, 4_900), ["Scented Candle", "Pillar Candle", "Tea Lights", "Candle Holder", "Lantern Candle", "Taper Candles", "Wax Melts", "Candle Snuffer"]),
    category("climbing", (900, 22_900), ["Harness", "Climbing Rope", "Chalk Bag", "Carabiner Set", "Climbing Shoes", "Crash Pad", "Belay Device", "Quickdraw Set"]),
    category("coffee", (700, 89_900), ["Espresso Machine", "Pour-over Dripper", "Coffee Grinder", "French Press", "Moka Pot", "Gooseneck Kettle", "Milk Frother", "Coffee Scale"]),
    category("cycling", (1_500, 17_900), ["Jersey", "Bib Shorts", "Rain Jacket", "Cycling Gloves", "Cycling Shoes", "Base Layer", "Overshoes", "Cap"]),
    category("decor", (800, 19_900), ["Vase", "Picture Frame", "Wall Clock", "Throw Pillow", "Table Runner", "Wall Print", "Basket", "Bookend Pair"]),
    category("desks", (3_900, 89_900), ["Standing Desk", "Writing Desk", "Desk Lamp", "Monitor Arm", "Drawer Unit", "Desk Mat", "Cable Tray", "Footrest"]),
    category("electronics", (900, 29_900), ["Power Bank", "USB Hub", "Wall Charger", "Smart Plug", "Universal Remote", "Weather Station", "Card Reader", "Extension Lead"]),
    category("fitness", (900, 79_900), ["Yoga Mat", "Kettlebell", "Resistance Bands", "Rowing Machine", "Foam Roller", "Adjustable Bench", "Jump Rope", "Pull-up Bar"]),
    category("footwear", (2_900, 22_900), ["Running Shoes", "Leather Boots", "Sandals", "Sneakers", "Slippers", "Rain Boots", "Trail Shoes", "Loafers"]),
    category("furniture", (4_900, 149_900), ["Armchair", "Bookcase", "Coffee Table", "Sideboard", "Dining Table", "Stool", "Sofa", "Bed Frame"]),
    category("games", (900, 9_900), ["Strategy Game", "Card Game", "Jigsaw Puzzle", "Chess Set", "Dice Game", "Party Game", "Domino Set", "Word Game"]),
    category("garden", (600, 39_900), ["Pruning Shears", "Watering Can", "Raised Bed", "Garden Bench", "Hose Reel", "Plant Pot", "Compost Bin", "Garden Fork"]),
    category("handbags", (2_900, 34_900), ["Tote", "Crossbody Bag", "Clutch", "Shoulder Bag", "Bucket Bag", "Wallet", "Card Holder", "Weekender"]),
    category("headwear", (900, 7_900), ["Beanie", "Sun Hat", "Baseball Cap", "Bucket Hat", "Headband", "Balaclava", "Beret", "Ear Warmers"]),
    category("jewelry", (1_900, 59_900), ["Pendant", "Hoop Earrings", "Signet Ring", "Bracelet", "Brooch", "Stud Earrings", "Necklace", "Cufflinks"]),
    category("keyboards", (2_900, 24_900), ["Mechanical Keyboard", "Split Keyboard", "Keycap Set", "Wrist Rest", "Numeric Keypad", "Wireless Mouse", "Trackball", "Switch Tester"]),
    category("kitchen", (500, 44_900), ["Chef's Knife", "Frying Pan", "Stand Mixer", "Cutting Board", "Saucepan", "Mixing Bowl", "Pepper Mill", "Roasting Tin"]),
    category("lighting", (1_200, 39_900), ["Pendant Lamp", "Floor Lamp", "Table Lamp", "Wall Light", "String Lights", "Reading Lamp", "LED Panel", "Ceiling Light"]),
    category("luggage", (3_900, 49_900), ["Carry-on", "Check-in Suitcase", "Garment Bag", "Packing Cubes", "Toiletry Bag", "Trolley Case", "Travel Pillow", "Luggage Scale"]),
    category("music", (900, 129_900), ["Acoustic Guitar", "Ukulele", "Stage Piano", "Metronome", "Music Stand", "Cajon", "Harmonica", "Guitar Strap"]),
    category("office", (300, 12_900), ["Notebook", "Fountain Pen", "Paper Shredder", "Stapler", "Planner", "Whiteboard", "Letter Tray", "Label Maker"]),
    category("outerwear", (4_900, 54_900), ["Parka", "Rain Coat", "Down Jacket", "Fleece", "Windbreaker", "Trench Coat", "Softshell", "Gilet"]),
    category("pets", (500, 15_900), ["Dog Bed", "Cat Tree", "Leash", "Food Bowl", "Scratching Post", "Pet Carrier", "Chew Toy", "Water Fountain"]),
    category("plants", (600, 12_900), ["Monstera", "Fiddle-leaf Fig", "Snake Plant", "Peace Lily", "Succulent Trio", "Olive Tree", "Fern", "Orchid"]),
    category("running", (1_200, 29_900), ["Running Watch", "Hydration Vest", "Running Tights", "Singlet", "Running Belt", "Headlamp", "Compression Socks", "Running Shorts"]),
    category("skincare", (700, 8_900), ["Face Cream", "Cleanser", "Hand Balm", "Sunscreen", "Serum", "Body Lotion", "Lip Balm", "Clay Mask"]),
    category("storage", (800, 17_900), ["Storage Box", "Shelf Unit", "Wardrobe Organiser", "Shoe Rack", "Hook Rail", "Jar Set", "Drawer Divider", "Tool Chest"]),
    category("tea", (500, 9_900), ["Teapot", "Green Tea", "Black Tea", "Herbal Tea", "Tea Tin", "Matcha Set", "Tea Strainer", "Teacup Pair"]),
    category("tools", (900, 34_900), ["Cordless Drill", "Hammer", "Screwdriver Set", "Spirit Level", "Jigsaw", "Tape Measure", "Socket Set", "Work Gloves"]),
    category("toys", (700, 12_900), ["Building Blocks", "Wooden Train", "Plush Bear", "Toy Kitchen", "Kite", "Marble Run", "Doll House", "Craft Kit"]),
    category("watches", (4_900, 89_900), ["Field Watch", "Dive Watch", "Dress Watch", "Chronograph", "Watch Strap", "Pilot Watch", "Watch Winder", "Watch Roll"]),
];

/// Names of product lines. With each kind of thing a name is used once, so no
/// two products of a category have the same name.
pub(super) const LINES: [&str; 32] = [
    "Alder", "Arden", "Aspen", "Birch", "Calder", "Cedar", "Cobalt", "Corvus", "Dune", "Elm", "Ember",
    "Fjord", "Harbor", "Hazel", "Heron", "Juniper", "Kestrel", "Larch", "Linden", "Lumen", "Marlow", "Mesa",
    "Norden", "Oakley", "Orchard", "Pine", "Quarry", "Rowan", "Sable", "Tern", "Willow", "Wren",
];

pub(super) const ADJECTIVES: [&str; 16] = [
    "Classic",
    "Compact",
    "Everyday",
    "Essential",
    "Heritage",
    "Light",
    "Modern",
    "Original",
    "Premium",
    "Pro",
    "Pure",
    "Select",
    "Signature",
    "Slim",
    "Studio",
    "Urban",
];

pub(super) const OPENINGS: [&str; 8] = [
    "Made to be used every day and to look better for it.",
    "A simple design that does one job very well.",
    "Small enough to put away, strong enough to leave out.",
    "Our best seller of the line, now in its third edition.",
    "Designed with people who use one for a living.",
    "The one we kept after trying a dozen others.",
    "Built from fewer parts, so there is less to break.",
    "Quiet in looks, serious about quality.",
];

pub(super) const DETAILS: [&str; 8] = [
    "Every part that wears can be bought and replaced.",
    "The packaging is paper and goes where paper goes.",
    "Comes with a care guide and everything you need to begin.",
    "Tested for ten thousand uses before it leaves the workshop.",
    "Made in small batches from materials we can trace.",
    "Weighs less than you expect and lasts longer.",
    "Easy to clean, and hard to stain in the first place.",
    "Fits with the rest of the line, and with most others.",
];

pub(super) const CLOSINGS: [&str; 4] = [
    "Two-year guarantee.",
    "Five-year guarantee.",
    "Free returns within 30 days.",
    "Repairs at cost for as long as you own it.",
];
