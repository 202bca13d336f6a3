-- one row per customer, item and local day on which it was bought before :as_of
select
    entity_id as user_id,
    item_id,
    day,
    cast(sum(quantity) as double) as quantity,
    cast(sum(amount) as double) as amount
from sale_lines
where item_id is not null
group by entity_id, item_id, day
