-- one row per customer and day with a sale before :as_of, with what it is worth: money
select
    entity_id,
    day,
    cast(sum(amount) as decimal(18, 4)) as amount
from sale_lines
group by entity_id, day
