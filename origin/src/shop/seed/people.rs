//! The demo's customers.

const FIRST: [&str; 48] = [
    "Ada", "Alan", "Amara", "Ana", "Anton", "Aya", "Ben", "Carla", "Chen", "Clara", "Daniel", "Diego",
    "Elena", "Emil", "Farah", "Felix", "Grace", "Hana", "Hugo", "Ida", "Ines", "Ivan", "Jonas", "Julia",
    "Kai", "Lars", "Leila", "Lena", "Luca", "Maria", "Mateo", "Mei", "Mina", "Nadia", "Noah", "Nora", "Olga",
    "Omar", "Oscar", "Paula", "Rosa", "Sam", "Sofia", "Theo", "Tomas", "Vera", "Yuki", "Zoe",
];

const LAST: [&str; 48] = [
    "Adams", "Almeida", "Andersen", "Baker", "Bauer", "Becker", "Bianchi", "Brown", "Castro", "Clark",
    "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hall", "Hansen", "Ito", "Ivanov", "Jansen", "Jensen",
    "Kim", "Kowalski", "Kumar", "Larsen", "Lee", "Lopez", "Martin", "Meyer", "Moreau", "Moretti", "Nguyen",
    "Novak", "Okafor", "Olsen", "Patel", "Petrov", "Ricci", "Rossi", "Sato", "Schmidt", "Silva", "Smith",
    "Sousa", "Tanaka", "Weber", "Wilson", "Wong",
];

/// The name of the user `id`, and an address that no other user has. Its domain is
/// reserved (RFC 2606), so no mail can reach anyone.
pub(super) fn person(id: i64, random: &mut fastrand::Rng) -> (String, String) {
    let first = FIRST[random.usize(..FIRST.len())];
    let last = LAST[random.usize(..LAST.len())];
    let email = format!("{}.{}.{id}@example.com", first.to_ascii_lowercase(), last.to_ascii_lowercase());
    (format!("{first} {last}"), email)
}
