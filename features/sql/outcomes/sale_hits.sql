-- one row per customer with a counted sale in the window that starts at :as_of
with counted as (
    select
        entity_id,
        order_key,
        sum(amount) as amount
    from sale_lines
    where
        (:any_item or item_id in (select item_id from chosen_items))
        and (:any_category or item_id in (select item_id from category_items))
        and (:any_channel or channel in (select channel from chosen_channels))
    group by entity_id, order_key
)

select
    entity_id,
    count(*) as hits
from counted
group by entity_id
having sum(amount) >= :min_amount
