-- one row per customer and day of the seven that begin with a touch, before :as_of
with offsets as (
    select 0 as n union all select 1 as n union all select 2 as n union all select 3 as n
    union all select 4 as n union all select 5 as n union all select 6 as n
)

select
    touches.entity_id,
    touches.day + offsets.n as day
from touches
cross join offsets
where touches.day + offsets.n < :as_of
group by touches.entity_id, touches.day + offsets.n
