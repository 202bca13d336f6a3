-- one row per customer who entered the funnel before :as_of: the act the way began with
select
    furthest.entity_id,
    furthest.furthest,
    furthest.place,
    min(acts.moment) as moment,
    min(acts.channel) as channel
from furthest
inner join funnel_places as acts on furthest.entity_id = acts.entity_id and furthest.place = acts.place
where acts.step = 1
group by furthest.entity_id, furthest.furthest, furthest.place
