-- one row per customer with an act before :as_of: recency, days with an act, and engagement (all events) for money
select
    entity_id,
    max(day) - :as_of as recency,
    cast(count(case when day >= :w365 then 1 end) as int) as frequency,
    cast(sum(case when day >= :w365 then event_count else 0 end) as decimal(18, 4)) as amount
from event_days
where has_act = 1
group by entity_id
