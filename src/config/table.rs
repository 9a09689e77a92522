//! How the tables of the file are declared: `keys!` for one that can come in any number, `table!` for one that comes once and is layered.

/// Declares the keys of a table and their types.
macro_rules! keys {
    ($(#[$doc:meta])* $name:ident = $table:literal { $($key:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name { $(pub $key: Option<$crate::config::value::Written<$type>>),+ }

        impl $name {
            /// Every key it has.
            pub const SPECS: &'static [$crate::config::spec::Spec] =
                &[$($crate::config::spec::Spec::of::<$type>($table, stringify!($key))),+];

            /// Reads a table; `place` is what stands in its brackets.
            pub(super) fn read_from(
                reader: &mut $crate::config::reader::Reader<'_>,
                place: &str,
                table: &toml::de::DeTable<'_>,
            ) -> Self {
                reader.refuse_unknown(&format!("[{place}] "), table, &[$(stringify!($key)),+]);
                Self { $($key: reader.value(place, table, stringify!($key))),+ }
            }

            pub(super) fn entries(&self, out: &mut Vec<$crate::config::file::Entry>) {
                $(if let Some(written) = &self.$key {
                    out.push($crate::config::file::Entry {
                        table: $table,
                        key: stringify!($key).to_owned(),
                        value: $crate::config::value::ConfigValue::write(&written.value),
                        origin: written.origin,
                    });
                })+
            }
        }
    };
}

/// Declares one table of the file: its keys, their types and, after `=>`, the type of the settings as used, which has fields of
/// the same names.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident = $table:literal => $used:ident { $($key:ident: $type:ty),+ $(,)? }) => {
        $crate::config::table::table! { $(#[$doc])* $name = $table { $($key: $type),+ } }

        impl $name {
            /// Replaces what this layer says and leaves the rest.
            fn apply(self, used: &mut $used) {
                $(if let Some(written) = self.$key { used.$key = written.value.used(); })+
            }

            fn of(used: &$used) -> Self {
                Self { $($key: Some(Written::new(<$type>::written(&used.$key), Origin::Default))),+ }
            }
        }
    };
    ($(#[$doc:meta])* $name:ident = $table:literal { $($key:ident: $type:ty),+ $(,)? }) => {
        $crate::config::table::keys! { $(#[$doc])* $name = $table { $($key: $type),+ } }

        impl $name {
            fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Self {
                reader.table(root, $table).map_or_else(Self::default, |table| Self::read_from(reader, $table, table))
            }

            fn over(self, lower: Self) -> Self {
                Self { $($key: self.$key.or(lower.$key)),+ }
            }
        }
    };
}

pub(super) use {keys, table};
