-- one row per day on which somebody acted for the first time, before :as_of
with firsts as (
    select
        entity_id,
        min(day) as day
    from acts
    group by entity_id
)

select
    day,
    count(*) as users
from firsts
group by day
