-- one row per customer with a counted event in the window that starts at :as_of
select
    entity_id,
    count(*) as hits
from events
where
    (:every_event or event in (select event from act_events))
    and (:any_item or item_id in (select item_id from chosen_items))
    and (:any_category or item_id in (select item_id from category_items))
group by entity_id
