//! What can be asked for, and what is answered.

use tidewall_edge::control::entry::Scope;
use tidewall_edge::control::view::Subject;

/// Something with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Resource {
    /// One row, in its group.
    Item(usize),
    /// All rows of a category, in the category's group.
    List(usize),
    /// A row that is shown without groups: a write is known by its URI alone.
    Note(usize),
}

/// One state of a row. Versions count up over the whole world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Which write made it.
    pub(crate) version: u64,
    /// Or it was deleted.
    pub(crate) exists: bool,
}

/// How many there are of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Rows in groups.
    pub(crate) items: usize,
    /// Categories, into which they fall in turn.
    pub(crate) lists: usize,
    /// Rows without groups, numbered behind the others.
    pub(crate) notes: usize,
}

impl Extent {
    /// Everything.
    pub(crate) fn all(self) -> Vec<Resource> {
        let items = (0..self.items).map(Resource::Item);
        let notes = (self.items..self.rows()).map(Resource::Note);
        items.chain((0..self.lists).map(Resource::List)).chain(notes).collect()
    }

    /// How many rows.
    pub(crate) fn rows(self) -> usize {
        self.items + self.notes
    }

    /// The rows that a resource shows, in order.
    pub(crate) fn rows_of(self, resource: Resource) -> Vec<usize> {
        match resource {
            Resource::Item(row) | Resource::Note(row) => vec![row],
            Resource::List(list) => (list..self.items).step_by(self.lists).collect(),
        }
    }

    /// The resource that a row is written at.
    pub(crate) fn resource(self, row: usize) -> Resource {
        if row < self.items { Resource::Item(row) } else { Resource::Note(row) }
    }

    /// What the origin says that a write of a row invalidates.
    pub(crate) fn invalidated(self, row: usize) -> Vec<Scope> {
        match self.resource(row) {
            Resource::Item(row) => {
                [format!("item:{row}"), format!("list:{}", row % self.lists)].map(Scope::Group).to_vec()
            }
            _ => Vec::new(),
        }
    }
}

impl Resource {
    /// Its path.
    pub(crate) fn path(self) -> String {
        match self {
            Self::Item(row) => format!("/items/{row}"),
            Self::List(list) => format!("/lists/{list}"),
            Self::Note(row) => format!("/notes/{row}"),
        }
    }

    /// Its cache key.
    pub(crate) fn uri(self) -> String {
        format!("http://shop{}", self.path())
    }

    /// Its cache groups.
    pub(crate) fn groups(self) -> Vec<String> {
        match self {
            Self::Item(row) => vec![format!("item:{row}")],
            Self::List(list) => vec![format!("list:{list}")],
            Self::Note(_) => Vec::new(),
        }
    }

    /// Whether an entry is about it.
    pub(crate) fn is_in(self, scope: &Scope) -> bool {
        match scope {
            Scope::All => true,
            Scope::Group(group) => self.groups().contains(group),
            Scope::Uri(uri) => self.uri() == *uri,
            Scope::Path(path) => self.path() == *path,
            Scope::Prefix(prefix) => self.path().starts_with(prefix),
            // Nobody asks for one.
            Scope::Uris(_) => false,
        }
    }
}

/// A resource's names, put together once.
pub(crate) struct Names {
    groups: Vec<String>,
    uri: String,
    path: String,
}

impl Names {
    /// The names of a response.
    pub(crate) fn of(resource: Resource, is_grouped: bool) -> Self {
        let groups = if is_grouped { resource.groups() } else { Vec::new() };
        Self { groups, uri: resource.uri(), path: resource.path() }
    }

    /// What the log's entries are compared with.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { groups: &self.groups, uri: &self.uri, path: &self.path }
    }
}
