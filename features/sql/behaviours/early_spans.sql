-- one row per customer first seen since :since: the first days, and whether there was an act in those after, before :as_of
with firsts as (
    select
        entity_id,
        min(day) as first_day
    from behaviour_days
    group by entity_id
)

select
    firsts.entity_id,
    0 as round,
    0 as alike,
    firsts.first_day as from_day,
    firsts.first_day + :days as to_day,
    max(
        case
            when acts.day >= firsts.first_day + :days and acts.day < firsts.first_day + :days + :later then 1
            else 0
        end
    ) as stayed
from firsts
left join acts on firsts.entity_id = acts.entity_id
where firsts.first_day >= :since and firsts.first_day + :days + :later <= :until
group by firsts.entity_id, firsts.first_day
