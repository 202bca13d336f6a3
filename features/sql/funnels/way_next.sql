-- one row per customer who came as far as step :step before :as_of: the first act after the step before that is one
select
    way.entity_id,
    way.furthest,
    min(acts.place) as place,
    min(acts.moment) as moment
from way
inner join funnel_places as acts on way.entity_id = acts.entity_id
where way.furthest >= :step and acts.step = :step and acts.place > way.place
group by way.entity_id, way.furthest
