-- one row per event before :as_of that is a step of the funnel, and step that it is
select
    events.entity_id,
    events.occurred_at as moment,
    cast(day_number(events.local_at) as int) as day,
    'event' as kind,
    coalesce(events.event, '') as event,
    coalesce(events.page, '') as page,
    coalesce(events.feature, '') as feature,
    cast(null as string) as channel,
    steps.step
from events
cross join funnel_steps as steps
where
    case steps.kind
        when 'event' then events.event
        when 'page' then events.page
        when 'feature' then events.feature
        when 'activated' then case when events.item_id is not null or events.feature is not null then '' end
    end = steps.name
