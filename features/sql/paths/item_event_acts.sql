-- one row per event on an item before :as_of that is a step, by customer and item together; the item stands as channel
select
    events.entity_id || '	' || events.item_id as entity_id,
    events.occurred_at as moment,
    cast(day_number(events.local_at) as int) as day,
    'event' as kind,
    events.event,
    '' as page,
    '' as feature,
    events.item_id as channel,
    steps.step
from events
inner join funnel_steps as steps on events.event = steps.name
where steps.kind = 'event' and events.item_id is not null
