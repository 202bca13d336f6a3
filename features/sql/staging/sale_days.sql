-- one row per customer and day with a sale before :as_of
select
    entity_id,
    day
from sale_lines
group by entity_id, day
