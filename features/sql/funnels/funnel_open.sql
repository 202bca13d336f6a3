-- one row per whole before :as_of: who entered so late only that the window is not over
with firsts as (
    select
        entity_id,
        min(day) as day
    from funnel_places
    where step = 1
    group by entity_id
)

select
    'open' as name,
    count(*) as users
from firsts
where day >= :entries_until
