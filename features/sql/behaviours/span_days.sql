-- one row per span, day in it and behaviour before :as_of, with how many behaviours the day has
select
    spans.entity_id,
    spans.round,
    days.day,
    days.behaviour,
    count(*) over (partition by spans.entity_id, spans.round, days.day) as behaviours
from spans
inner join behaviour_days as days on spans.entity_id = days.entity_id
where days.day >= spans.from_day and days.day < spans.to_day
