//! The Store's contract: one suite for every database.

mod bed;
mod chat;
mod log;

/// Makes a test of each case.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $( #[tokio::test]
            async fn $case() {
                let bed = crate::store::bed::Bed::sqlite().await;
                super::$case(&bed).await;
                bed.drop().await;
            } )*
        }
    };
}
use contract;
